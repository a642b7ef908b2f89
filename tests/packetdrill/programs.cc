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
enum Outcome : int { kPassed = 0, kFailed = 1, kSkipped = 77 };

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
  bool skipped = false;
  const std::string failure = run_script(path, text.str(), stack, skipped);
  if (skipped) return kSkipped;
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
  unsigned passed = 0, failed = 0, skipped = 0;
};

void wait_for_one(std::map<pid_t, std::string>& running, Counts& counts) {
  int status = 0;
  const pid_t child = ::wait(&status);
  const bool ended = WIFEXITED(status);
  if (!ended) fmt::print("{}: killed by signal {}\n", running[child], WTERMSIG(status));
  const int result = ended ? WEXITSTATUS(status) : kFailed;
  counts.passed += result == kPassed;
  counts.skipped += result == kSkipped;
  counts.failed += result != kPassed && result != kSkipped;
  if (result != kPassed && result != kSkipped) fmt::print("FAILED {}\n", running[child]);
  running.erase(child);
}

}  // namespace

std::string run_script(const std::string& path, const std::string& text, const Stack& stack,
                       bool& skipped) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const Script script = parse_script(path, text);
    packetdrill_interface table{};
    stack.make_table(script.flags.c_str(), table);
    Runner runner(table, stack.extras);
    skipped = !runner.can_run(script);
    if (!skipped) runner.run(script);
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
  fmt::print("{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped);
  return counts.failed == 0 && counts.passed > 0 ? 0 : 1;
}

}  // namespace pollux::packetdrill
