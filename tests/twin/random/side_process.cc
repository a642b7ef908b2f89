// side_process.cc - the child runs program after program; the parent writes, reads and restarts it.
#include "tests/twin/random/side_process.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/twin/random/execute.h"
#include "tests/twin/random/quick_acks.h"

namespace pollux::twin {
namespace {

constexpr int kSilenceMs = 20'000;  // longer than any program and than the start of a stack
constexpr int kCannotStart = 77;
constexpr int kPrograms = 3, kAnswers = 4;  // the child's descriptors; all above them are closed

// What stands behind a program's answers, in a line of its own.
constexpr const char *kEnd = "end", *kChance = "chance";

struct Head {
  uint32_t free_order, count;
};

bool read_all(int fd, void* to, size_t length) {
  auto* at = static_cast<char*>(to);
  while (length > 0) {
    const ssize_t n = ::read(fd, at, length);
    if (n <= 0) return false;
    at += n;
    length -= static_cast<size_t>(n);
  }
  return true;
}

void write_all(int fd, const void* from, size_t length) {
  auto* at = static_cast<const char*>(from);
  while (length > 0) {
    const ssize_t n = ::write(fd, at, length);
    if (n <= 0) return;
    at += n;
    length -= static_cast<size_t>(n);
  }
}

// Packets of the kernel's loopback wait in a queue of the processor's: one processor, one queue.
void stay_on_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

[[noreturn]] void be_the_child(const Calls& calls, const std::string& config) {
  ::signal(SIGPIPE, SIG_IGN);
  stay_on_one_processor();
  if (!calls.start(config.empty() ? nullptr : config.c_str())) ::_exit(kCannotStart);
  if (is_kernel(calls) && !acknowledge_at_once()) ::_exit(kCannotStart);
  Runner runner(calls);
  Head head{};
  while (read_all(kPrograms, &head, sizeof head)) {
    Program program{.free_order = head.free_order != 0, .ops = std::vector<Op>(head.count)};
    if (!read_all(kPrograms, program.ops.data(), program.ops.size() * sizeof(Op))) break;
    std::string text;
    for (const std::string& line : runner.run(program)) text += line + "\n";
    text += runner.met_by_chance() ? kChance : kEnd;
    text += "\n";
    write_all(kAnswers, text.data(), text.size());
  }
  calls.stop();
  ::_exit(0);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return signal == SIGKILL ? kHung : std::string("crashed: ") + ::strsignal(signal);
  }
  if (WEXITSTATUS(status) == kCannotStart) return "cannot start";
  return "exited " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void SideProcess::start() {
  int programs[2], answers[2];
  if (::pipe(programs) != 0 || ::pipe(answers) != 0) ::perror("pipe");
  ::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(::dup2(programs[0], 100), kPrograms);
    ::dup2(::dup2(answers[1], 101), kAnswers);
    ::close_range(kAnswers + 1, ~0u, 0);
    be_the_child(calls_, config_);
  }
  ::close(programs[0]);
  ::close(answers[1]);
  to_ = programs[1];
  from_ = answers[0];
  text_.clear();
}

void SideProcess::stop() {
  if (pid_ < 0) return;
  ::close(to_);
  ::close(from_);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SideProcess::begin(const Program& program) {
  if (pid_ < 0) start();
  const Head head{.free_order = program.free_order,
                  .count = static_cast<uint32_t>(program.ops.size())};
  write_all(to_, &head, sizeof head);
  write_all(to_, program.ops.data(), program.ops.size() * sizeof(Op));
}

Answers SideProcess::finish() {
  Answers answers;
  if (read_lines(answers)) return answers;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  answers.end = how_it_ended(status);
  ::close(to_);
  ::close(from_);
  pid_ = -1;
  return answers;
}

// False: the child is silent or gone.
bool SideProcess::read_lines(Answers& answers) {
  pollfd entry{.fd = from_, .events = POLLIN, .revents = 0};
  char buffer[4096];
  for (;;) {
    for (size_t end; (end = text_.find('\n')) != std::string::npos;) {
      std::string line = text_.substr(0, end);
      text_.erase(0, end + 1);
      answers.by_chance = line == kChance;
      if (answers.by_chance || line == kEnd) return true;
      answers.lines.push_back(std::move(line));
    }
    if (::poll(&entry, 1, kSilenceMs) != 1) return false;
    const ssize_t n = ::read(from_, buffer, sizeof buffer);
    if (n <= 0) return false;
    text_.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace pollux::twin
