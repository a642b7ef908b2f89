// run.cc - `pollux run`: the environment of an unmodified program, which then takes our place.
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "apps/pollux/commands.h"
#include "apps/pollux/program_file.h"
#include "pollux/numbers.h"

namespace pollux::tool {
namespace {

namespace fs = std::filesystem;

int fail(int status, const std::string& message) {
  fmt::print(stderr, "pollux run: {}\n", message);
  return status;
}

fs::path library_path() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&plx_init), &info) == 0) return {};
  return fs::weakly_canonical(info.dli_fname);
}

// Installed beside libpollux; in a build directory beside the tool's own folder.
fs::path preload_path() {
  constexpr const char* kName = "libpollux-preload.so";
  std::error_code ignored;
  const fs::path tool = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& folder : {library_path().parent_path(), tool / "../preload"}) {
    if (fs::exists(folder / kName, ignored)) return fs::weakly_canonical(folder / kName);
  }
  return {};
}

// "to 198.18.0.0/24 stack;" as a line for people.
void explain(const std::string& rules) {
  fmt::print("bind to, or connect to            belongs to\n");
  for (std::size_t at = 0; at < rules.size();) {
    const std::size_t end = rules.find(';', at);
    const std::string rule = rules.substr(at, end - at);
    const std::size_t last = rule.rfind(' ');
    const bool is_bind = rule.starts_with("at ");
    fmt::print("  {:<8}{:<24}the {}\n", is_bind ? "bind" : "connect", rule.substr(3, last - 3),
               rule.substr(last + 1));
    at = end + 1;
  }
  fmt::print("  {:<8}{:<24}the kernel\n\n", "both", "anything else");
  fmt::print(
      "The first line that matches counts. A socket is its own until it is bound or connected, or\n"
      "sends a datagram. Names are resolved by libc, which asks through the kernel.\n");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

void set_environment(const StackArguments& arguments, const std::string& rules) {
  const char* before = getenv("LD_PRELOAD");
  const std::string preload = preload_path().string() + (before ? ":" + std::string(before) : "");
  setenv("LD_PRELOAD", preload.c_str(), 1);
  setenv("POLLUX_LIBRARY", library_path().c_str(), 1);
  setenv("POLLUX_RULES", rules.c_str(), 1);
  setenv("POLLUX_SETTINGS", joined(arguments.texts()).c_str(), 1);
  if (!arguments.config()) return;
  const std::string config = arguments.config();
  setenv("POLLUX_CONFIG", config.empty() ? "" : fs::absolute(config).c_str(), 1);
}

int execute(const std::string& path, const std::vector<std::string>& program) {
  std::vector<char*> arguments;
  for (const std::string& argument : program) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  return fail(126, path + ": " + std::strerror(errno));
}

}  // namespace

int run_main(const RunCommand& command) {
  const StackArguments arguments(command.stack);
  const char* rules = plx_rules(arguments.config(), arguments.settings());
  if (!rules) return fail(2, plx_error());
  if (command.explain) return explain(rules), 0;
  if (command.program.empty()) return fail(2, "which program? write: pollux run -- PROGRAM");
  if (preload_path().empty()) return fail(2, "libpollux-preload.so is not beside this program");
  const std::string path = find_program(command.program.front());
  if (path.empty()) return fail(127, command.program.front() + ": no such program");
  if (const std::string why = why_not_preloadable(path); !why.empty()) return fail(2, why);
  set_environment(arguments, rules);
  return execute(path, command.program);
}

}  // namespace pollux::tool
