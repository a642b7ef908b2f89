// side.cc - the child runs cases and writes what it saw into a pipe; the parent reads and restarts
// it.
#include "tests/twin/side.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pollux::twin {
namespace {

constexpr int kSilenceMs = 20'000;  // longer than any case and than the start of a stack
constexpr int kCannotStart = 77;

// One line of the pipe: a letter, then fields separated by tabs. No field contains either
// separator.
void write_line(FILE* out, char kind, std::string_view text) {
  fprintf(out, "%c%.*s\n", kind, static_cast<int>(text.size()), text.data());
  fflush(out);
}

[[noreturn]] void be_the_child(const Calls& calls, const std::string& config,
                               std::span<const Case> cases, FILE* out) {
  if (!calls.start(config.empty() ? nullptr : config.c_str())) _exit(kCannotStart);
  for (const Case& one : cases) {
    Twin twin(calls);
    one.run(twin);
    for (const Observation& o : twin.observations()) {
      write_line(out, 'o', o.label + "\t" + o.got + "\t" + o.wanted);
    }
    write_line(out, 'e', "");
  }
  calls.stop();
  _exit(0);
}

Observation parse_observation(const std::string& line) {
  const size_t first = line.find('\t'), second = line.find('\t', first + 1);
  return {line.substr(0, first), line.substr(first + 1, second - first - 1),
          line.substr(second + 1)};
}

struct CaseProcess {
  pid_t pid;
  int pipe;
};

CaseProcess start_child(const Calls& calls, const std::string& config,
                        std::span<const Case> cases) {
  int ends[2];
  if (::pipe(ends) != 0) ::perror("pipe");
  ::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    be_the_child(calls, config, cases, ::fdopen(ends[1], "w"));
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

// Reads outcomes from the child until it ends or is silent for too long. Returns how many are
// whole.
size_t read_outcomes(const CaseProcess& child, std::span<Outcome> outcomes) {
  std::string text;
  size_t done = 0;
  char buffer[4096];
  pollfd entry{.fd = child.pipe, .events = POLLIN, .revents = 0};
  while (::poll(&entry, 1, kSilenceMs) == 1) {
    const ssize_t n = ::read(child.pipe, buffer, sizeof buffer);
    if (n <= 0) return done;
    text.append(buffer, static_cast<size_t>(n));
    for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      const std::string line = text.substr(1, end - 1);
      if (text[0] == 'o') outcomes[done].observations.push_back(parse_observation(line));
      if (text[0] == 'e') outcomes[done++].end.clear();
    }
  }
  ::kill(child.pid, SIGKILL);
  return done;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return signal == SIGKILL ? "hung" : std::string("killed: ") + ::strsignal(signal);
  }
  if (WEXITSTATUS(status) == kCannotStart) return "cannot start";
  return "exited " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::vector<Outcome> run_side(const Calls& calls, const std::string& config,
                              std::span<const Case> cases) {
  std::vector<Outcome> outcomes(cases.size());
  for (size_t next = 0; next < cases.size();) {
    const CaseProcess child = start_child(calls, config, cases.subspan(next));
    next += read_outcomes(child, std::span(outcomes).subspan(next));
    ::close(child.pipe);
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    if (next == cases.size()) break;
    outcomes[next].end = how_it_ended(status);
    if (outcomes[next].end == "cannot start") break;
    ++next;
  }
  return outcomes;
}

}  // namespace pollux::twin
