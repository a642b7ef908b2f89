// cases_processes.cc - behaviours 7.5 and 9.7 to 9.9: open files that two processes share, which
// Pollux's never are (deviations.h).
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tests/twin/twin.h"
#include "tests/twin/waiters.h"

namespace pollux::twin {
namespace {

// A process that does something, tells the outcome and stays until it is released.
class Child {
 public:
  explicit Child(const std::function<std::string()>& act) {
    if (::pipe(told_.data()) != 0 || ::pipe(release_.data()) != 0) ::perror("pipe");
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::string text = act();
    char byte;
    const bool is_told = ::write(told_[1], text.data(), text.size()) > 0;
    ::_exit(is_told && ::read(release_[0], &byte, 1) == 1 ? 0 : 1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    release();
    for (const int fd : {told_[0], told_[1], release_[0], release_[1]}) ::close(fd);
  }

  pid_t pid() const { return pid_; }
  bool has_told(int timeout_ms) const {
    pollfd entry{.fd = told_[0], .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, timeout_ms) == 1;
  }
  std::string told() const {
    std::array<char, 256> buffer{};
    if (!has_told(kLongMs)) return "silent";
    const ssize_t n = ::read(told_[0], buffer.data(), buffer.size());
    return std::string(buffer.data(), n < 0 ? 0 : static_cast<size_t>(n));
  }
  // Its descriptors are closed when this returns.
  void release() {
    if (pid_ <= 0) return;
    if (::write(release_[1], "x", 1) == 1) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::array<int, 2> told_{}, release_{};
  pid_t pid_ = -1;
};

void b7_5_one_event_three_processes(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair(), bell = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.add(set, bell.passive, EPOLLIN, 'Z');
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(std::make_unique<Child>([&] { return t.wait(set, 1, kLongMs); }));
    until_process_sleeps(children.back()->pid());
  }
  t.send(pair.active, "x");
  for (const auto& child : children) until_process_sleeps(child->pid());
  t.send(bell.active, "z");
  std::map<std::string, int> counts;
  for (const auto& child : children) ++counts[child->told()];
  std::string text;
  for (const auto& [told, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + told;
  }
  t.expect("three processes", text, "1 A:IN, 2 Z:IN");
}

void b9_7_a_childs_copy(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  Child child([] { return std::string("holds a copy"); });
  t.expect("child", child.told(), "holds a copy");
  t.close(pair.passive);
  t.send(pair.active, "x");
  t.expect("closed here", t.wait(set), "A:IN");
  child.release();
  t.expect("child gone", t.wait(set), "none");
}

void b9_8_a_childs_registration(Twin& t) {
  const int set = t.set();
  Child child([&] {
    const Pair pair = t.pair();
    const std::string added = t.add(set, pair.passive, EPOLLIN, 'A');
    t.send(pair.active, "x");
    t.until(pair.passive, POLLIN);
    return added == "0" ? std::to_string(pair.passive) : added;
  });
  const std::string told = child.told();
  const bool is_added = !told.starts_with("-");
  t.expect("ADD by the child", is_added ? "0" : told, "0");
  t.expect("the child's event", t.wait(set), "A:IN");
  if (is_added) t.expect("DEL by number", t.remove(set, std::stoi(told)), "-1 EBADF");
  child.release();
  t.expect("child gone", t.wait(set), "none");
}

// Sends a copy of `fd` to itself, where it stays.
std::string post(const Twin& t, int box, int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  address.sun_family = AF_UNIX;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  t.calls.bind(box, generic, sizeof address.sun_family);
  t.calls.getsockname(box, generic, &length);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  char text = 'x';
  iovec part{.iov_base = &text, .iov_len = 1};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return to_text(t.calls.sendmsg(box, &message, 0));
}

void b9_9_a_file_in_flight(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  const int box = t.keep(t.calls.socket(AF_UNIX, SOCK_DGRAM, 0));
  t.expect("a UNIX socket", box < 0 ? to_text(box) : "made", "made");
  if (box < 0) return;
  t.expect("sent", post(t, box, pair.passive), "1");
  t.close(pair.passive);
  t.send(pair.active, "x");
  t.expect("in flight only", t.wait(set), "A:IN");
  t.close(box);
  t.expect("lost", t.wait(set), "none");
}

constexpr Case kProcessesCases[] = {
    {"7.5", "three processes wait on one set, one event", b7_5_one_event_three_processes},
    {"9.7", "a child's copy keeps a file alive", b9_7_a_childs_copy},
    {"9.8", "a child registers a file of its own", b9_8_a_childs_registration},
    {"9.9", "a file in flight is alive", b9_9_a_file_in_flight},
};

}  // namespace

std::span<const Case> processes_cases() { return kProcessesCases; }

}  // namespace pollux::twin
