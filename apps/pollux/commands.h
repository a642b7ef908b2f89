// commands.h - the subcommands of the `pollux` program.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "apps/pollux/calls.h"

namespace pollux::tool {

// Which stack a command uses, and how Pollux is started for it.
struct StackOptions {
  bool kernel = false;
  bool tap = false;    // a TAP device as config/tap.toml has it, and no file
  std::string config;  // "": what POLLUX_CONFIG names, or a stack without devices
  std::vector<std::string> settings;
};

// The same as plx_init() takes it.
class StackArguments {
 public:
  explicit StackArguments(const StackOptions& options);
  StackArguments(const StackArguments&) = delete;
  StackArguments& operator=(const StackArguments&) = delete;

  // Null: what POLLUX_CONFIG names; "": no file.
  const char* config() const { return config_ ? config_->c_str() : nullptr; }
  const char* const* settings() const { return pointers_.data(); }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::optional<std::string> config_;
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

// The table of calls for one command; Pollux is started at construction and ended with it.
class StackSession {
 public:
  explicit StackSession(const StackOptions& options);
  ~StackSession();
  StackSession(const StackSession&) = delete;
  StackSession& operator=(const StackSession&) = delete;

  bool started() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  const SocketCalls& calls() const { return kernel_ ? kKernelCalls : kPolluxCalls; }

 private:
  bool kernel_;
  std::string error_;
};

struct LatencyCommand {
  StackOptions stack;
  std::string host;
  int port = 7;
  bool udp = false;
  bool serve = false;
  bool spin = false;
  bool quiet = false;
  unsigned connections = 1;
  unsigned depth = 1;
  unsigned size = 64;
  double warmup_s = 0.5;
  double duration_s = 5.0;
  double interval_s = 0;
  unsigned long count = 0;
  std::string json;  // "": none, "-": standard output
};

struct PingCommand {
  StackOptions stack;
  std::string host;
  int tcp_port = 0;    // 0: ICMP echo
  unsigned count = 4;  // 0: until a signal
  unsigned size = 56;
  double interval_s = 1.0;
  double timeout_s = 1.0;
  bool quiet = false;
};

struct RunCommand {
  StackOptions stack;
  bool explain = false;
  std::vector<std::string> program;  // its name and its arguments
};

struct DoctorCommand {
  StackOptions stack;
};

// Exit statuses: 0 done, 1 failed (for ping: no answer at all), 2 a wrong command line.
int latency_main(const LatencyCommand& command);
int ping_main(const PingCommand& command);
// Becomes the program. 2: what was asked for cannot work; 126, 127: as a shell's, it cannot be run.
int run_main(const RunCommand& command);
// 0: a stack of this configuration could start; 1: it could not.
int doctor_main(const DoctorCommand& command);

// A numeric IPv4 address and a port; false: not an address.
bool parse_address(const std::string& host, int port, sockaddr_in& address);

}  // namespace pollux::tool
