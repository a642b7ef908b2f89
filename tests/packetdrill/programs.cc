// programs.cc - a child for each script, as many at a time as there are processors.
#include "tests/packetdrill/programs.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pollux::packetdrill {
namespace {

constexpr unsigned kSecondsAtMost = 20;  // of a script that hangs
enum Outcome : int { kPassed = 0, kFailed = 1, kImpossible = 77 };

std::vector<std::string> find_scripts(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.path().extension() == ".pkt") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string line_of(const std::string& text, unsigned number) {
  std::istringstream lines(text);
  std::string line;
  for (unsigned i = 0; i < number; ++i) std::getline(lines, line);
  return line;
}

int run_file(const std::string& path, const Stack& stack) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  bool impossible = false;
  const std::string failure = run_script(path, text.str(), stack, impossible);
  if (impossible) return kImpossible;
  if (failure.empty()) return kPassed;
  const std::string line = failure + "\n";
  static_cast<void>(::write(STDOUT_FILENO, line.data(), line.size()));
  return kFailed;
}

pid_t start_script(const std::string& path, const Stack& stack) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(kSecondsAtMost);
  _exit(run_file(path, stack));
}

struct Counts {
  unsigned passed = 0, failed = 0, impossible = 0;
};

void wait_for_one(std::map<pid_t, std::string>& running, Counts& counts) {
  int status = 0;
  const pid_t child = ::wait(&status);
  const bool ended = WIFEXITED(status);
  if (!ended) fmt::print("{}: killed by signal {}\n", running[child], WTERMSIG(status));
  const int result = ended ? WEXITSTATUS(status) : kFailed;
  counts.passed += result == kPassed;
  counts.impossible += result == kImpossible;
  counts.failed += result != kPassed && result != kImpossible;
  if (result != kPassed && result != kImpossible) fmt::print("FAILED {}\n", running[child]);
  running.erase(child);
}

}  // namespace

std::string run_script(const std::string& path, const std::string& text, const Stack& stack,
                       bool& impossible) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const Script script = parse_script(path, text);
    packetdrill_interface table{};
    stack.make_table(script.flags.c_str(), table);
    Runner runner(table, stack.extras);
    impossible = !runner.can_run(script);
    if (!impossible) runner.run(script);
    table.free(table.userdata);
  } catch (const Failure& failure) {
    return fmt::format("{}:{}: {}\n    {}", path, failure.line, failure.message,
                       line_of(text, failure.line));
  }
  return {};
}

int run_scripts(const std::vector<std::string>& arguments, const Stack& stack) {
  std::size_t jobs = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<std::string> scripts;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--jobs" && i + 1 < arguments.size()) {
      jobs = std::stoul(arguments[++i]);
      continue;
    }
    const std::vector<std::string> found = find_scripts(arguments[i]);
    scripts.insert(scripts.end(), found.begin(), found.end());
  }
  Counts counts;
  std::map<pid_t, std::string> running;
  for (const std::string& path : scripts) {
    while (running.size() >= jobs) wait_for_one(running, counts);
    running[start_script(path, stack)] = path;
  }
  while (!running.empty()) wait_for_one(running, counts);
  if (counts.impossible != 0) {
    fmt::print("{} scripts make calls that this stack's table has no slot for\n",
               counts.impossible);
  }
  fmt::print("{} passed, {} failed, 0 skipped\n", counts.passed, counts.failed);
  return counts.failed == 0 && counts.passed > 0 ? 0 : 1;
}

}  // namespace pollux::packetdrill
