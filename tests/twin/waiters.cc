// waiters.cc - who sleeps is read in /proc: nothing here depends on how long anything takes.
#include "tests/twin/waiters.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

namespace pollux::twin {
namespace {

constexpr std::chrono::milliseconds kPatience(kLongMs);

std::string contents(const std::string& path) {
  std::array<char, 4096> buffer{};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : ::read(fd, buffer.data(), buffer.size());
  if (fd >= 0) ::close(fd);
  return std::string(buffer.data(), n < 0 ? 0 : static_cast<size_t>(n));
}

std::string field(const std::string& status, const std::string& name) {
  const size_t at = status.find("\n" + name + ":\t");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 3;
  return status.substr(begin, status.find('\n', begin) - begin);
}

void pause_a_little() { ::poll(nullptr, 0, 1); }

template <typename Condition>
void until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition() && std::chrono::steady_clock::now() < end) pause_a_little();
}

}  // namespace

uint64_t sleeps_of(const std::string& proc_directory) {
  const std::string before = contents(proc_directory + "/status");
  const std::string call = contents(proc_directory + "/syscall");
  const std::string after = contents(proc_directory + "/status");
  const std::string count = field(after, "voluntary_ctxt_switches");
  const auto is_asleep = [](const std::string& status) {
    return field(status, "State").starts_with("S");
  };
  if (!is_asleep(before) || !is_asleep(after)) return 0;
  if (count != field(before, "voluntary_ctxt_switches")) return 0;
  const std::string number = call.substr(0, call.find(' '));
  if (number == std::to_string(SYS_futex) || number.starts_with("running")) return 0;
  return std::stoull(count);
}

void until_process_sleeps(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  until([&] {
    const std::string state = field(contents(directory + "/status"), "State");
    return state.empty() || state.starts_with("Z") || sleeps_of(directory) > 0;
  });
}

void until_process_stops(pid_t pid) {
  const std::string status = "/proc/" + std::to_string(pid) + "/status";
  until([&] { return field(contents(status), "State").starts_with("T"); });
}

void Waiters::start(std::function<std::string()> call) {
  std::lock_guard lock(mutex_);
  Waiter& waiter = waiters_.emplace_back();
  waiter.call = std::move(call);
  waiter.thread = std::thread([this, &waiter] { run(waiter); });
}

void Waiters::run(Waiter& waiter) {
  {
    std::lock_guard lock(mutex_);
    waiter.proc_directory = "/proc/self/task/" + std::to_string(::gettid());
  }
  std::string result = waiter.call();
  std::lock_guard lock(mutex_);
  waiter.result = std::move(result);
  waiter.is_back = true;
  changed_.notify_all();
}

void Waiters::on_set(int set, int timeout_ms) {
  t_.add(set, bell_.passive, EPOLLIN, 'Z');  // EEXIST from the second on
  start([this, set, timeout_ms] { return t_.wait(set, 1, timeout_ms); });
}

void Waiters::on_poll(int fd, short events) {
  start([this, fd, events] {
    std::array<pollfd, 2> entries{{{fd, events, 0}, {bell_.passive, POLLIN, 0}}};
    const int n = t_.calls.poll(entries.data(), entries.size(), kLongMs);
    if (n <= 0) return n < 0 ? to_text(n) : std::string("none");
    const auto revents = static_cast<uint16_t>(entries[0].revents);
    return revents ? events_to_text(revents) : std::string("bell");
  });
}

void Waiters::on_select(int fd) {
  start([this, fd] {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    FD_SET(bell_.passive, &readable);
    timeval timeout{.tv_sec = kLongMs / 1000, .tv_usec = 0};
    const int n =
        t_.calls.select(std::max(fd, bell_.passive) + 1, &readable, nullptr, nullptr, &timeout);
    if (n <= 0) return n < 0 ? to_text(n) : std::string("none");
    return std::string(FD_ISSET(fd, &readable) ? "readable" : "bell");
  });
}

// For each that is out: sleeps_of(); 1 for the others.
std::vector<uint64_t> Waiters::sleeps() {
  std::lock_guard lock(mutex_);
  std::vector<uint64_t> all;
  for (const Waiter& waiter : waiters_) {
    const bool has_begun = !waiter.proc_directory.empty();
    all.push_back(waiter.is_back ? 1 : has_begun ? sleeps_of(waiter.proc_directory) : 0);
  }
  return all;
}

// Two equal rounds: between them all slept at the same time.
void Waiters::until_asleep() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::vector<uint64_t> before, now;
  do {
    before = std::exchange(now, sleeps());
    const bool all_sleep = std::find(now.begin(), now.end(), 0) == now.end();
    if (all_sleep && before == now) return;
    if (!all_sleep) pause_a_little();
  } while (std::chrono::steady_clock::now() < end);
  t_.expect("the waiters", "awake", "asleep");
}

size_t Waiters::returned() {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(waiters_.begin(), waiters_.end(), [](const Waiter& w) { return w.is_back; }));
}

void Waiters::until_returned(size_t count) {
  std::unique_lock lock(mutex_);
  const bool in_time = changed_.wait_for(lock, kPatience, [&] {
    return static_cast<size_t>(std::count_if(waiters_.begin(), waiters_.end(),
                                             [](const Waiter& w) { return w.is_back; })) >= count;
  });
  if (!in_time) t_.expect("waiters that came back", "too few", std::to_string(count));
}

std::string Waiters::each() {
  std::lock_guard lock(mutex_);
  std::string text;
  for (const Waiter& waiter : waiters_) {
    text += (text.empty() ? "" : ", ") + (waiter.is_back ? waiter.result : "asleep");
  }
  return text;
}

std::string Waiters::tally() {
  std::lock_guard lock(mutex_);
  std::map<std::string, int> counts;
  for (const Waiter& waiter : waiters_) ++counts[waiter.is_back ? waiter.result : "asleep"];
  std::string text;
  for (const auto& [result, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + result;
  }
  return text;
}

Waiters& Waiters::end() {
  t_.send(bell_.active, "z");
  join();
  return *this;
}

void Waiters::join() {
  for (Waiter& waiter : waiters_) {
    if (waiter.thread.joinable()) waiter.thread.join();
  }
}

}  // namespace pollux::twin
