// main.cc - the `pollux` program: command line of every subcommand.

#include <CLI/CLI.hpp>
#include <csignal>

#include "apps/pollux/commands.h"
#include "apps/pollux/load.h"

namespace {

using pollux::tool::DoctorCommand;
using pollux::tool::LatencyCommand;
using pollux::tool::PingCommand;
using pollux::tool::RunCommand;
using pollux::tool::StackOptions;

void add_config_options(CLI::App& app, StackOptions& stack) {
  CLI::Option* config = app.add_option("-c,--config", stack.config, "the stack's configuration");
  config->check(CLI::ExistingFile);
  app.add_flag("--tap", stack.tap,
               "instead of a file: 198.18.0.2 on TAP device plx0, where the kernel is 198.18.0.1")
      ->excludes(config);
  app.add_option("--set", stack.settings, "KEY=VALUE that overrides the file; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
}

void add_stack_options(CLI::App& app, StackOptions& stack) {
  add_config_options(app, stack);
  app.add_flag("--kernel", stack.kernel, "use the kernel's sockets instead of Pollux");
}

CLI::App* add_latency(CLI::App& app, LatencyCommand& command) {
  CLI::App* latency = app.add_subcommand("latency", "request and response times, closed loop");
  add_stack_options(*latency, command.stack);
  latency->add_option("host", command.host, "the server's IPv4 address (with --serve: our own)");
  latency->add_option("--port", command.port)->check(CLI::Range(1, 65535))->capture_default_str();
  CLI::Option* udp = latency->add_flag("--udp", command.udp, "datagrams instead of TCP");
  latency->add_flag("--serve", command.serve, "be the echo server, TCP and UDP, until a signal");
  latency->add_flag("--spin", command.spin, "never sleep: wait with timeout 0");
  latency->add_option("-n,--connections", command.connections)
      ->check(CLI::Range(1u, 1000000u))
      ->capture_default_str();
  latency->add_option("-d,--depth", command.depth, "requests in flight on each connection")
      ->check(CLI::Range(1u, 65536u))
      ->capture_default_str();
  latency->add_option("-s,--size", command.size, "octets of a request and of its answer")
      ->check(CLI::Range(1u, 16777216u))
      ->capture_default_str();
  latency->add_option("--warmup", command.warmup_s, "seconds that are not measured")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  CLI::Option* duration = latency->add_option("--duration", command.duration_s, "seconds measured");
  duration->check(CLI::Range(0.001, 86400.0))->capture_default_str();
  latency->add_option("--count", command.count, "end after this many measured requests")
      ->check(CLI::PositiveNumber)
      ->excludes(duration);
  latency
      ->add_option("-i,--interval", command.interval_s,
                   "seconds from an answer to the next request of its connection")
      ->check(CLI::Range(0.0, 3600.0))
      ->excludes(udp)
      ->capture_default_str();
  latency->add_option("--json", command.json, "also write JSON to FILE; - : only JSON, to stdout");
  latency->add_flag("-q,--quiet", command.quiet, "no live progress");
  return latency;
}

CLI::App* add_ping(CLI::App& app, PingCommand& command) {
  CLI::App* ping = app.add_subcommand("ping", "round trips of ICMP echo, or of TCP connects");
  add_stack_options(*ping, command.stack);
  ping->add_option("host", command.host, "IPv4 address")->required();
  ping->add_option("--tcp", command.tcp_port, "time connects to this port instead")
      ->check(CLI::Range(1, 65535));
  ping->add_option("-n,--count", command.count, "0: until a signal")->capture_default_str();
  ping->add_option("-s,--size", command.size, "octets after the ICMP header")
      ->check(CLI::Range(0u, 65000u))
      ->capture_default_str();
  ping->add_option("-i,--interval", command.interval_s, "seconds; 0: next when answered")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  ping->add_option("-W,--timeout", command.timeout_s, "seconds to wait for an answer")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  ping->add_flag("-q,--quiet", command.quiet, "only the summary");
  return ping;
}

CLI::App* add_run(CLI::App& app, RunCommand& command) {
  CLI::App* run = app.add_subcommand("run", "run an unmodified program on Pollux: run -- PROGRAM");
  add_config_options(*run, command.stack);
  run->add_flag("--explain", command.explain, "say which addresses are the stack's, and end");
  run->add_option("program", command.program, "the program and its arguments");
  run->positionals_at_end();
  return run;
}

CLI::App* add_doctor(CLI::App& app, DoctorCommand& command) {
  CLI::App* doctor = app.add_subcommand("doctor", "what this machine needs for Pollux; only reads");
  add_config_options(*doctor, command.stack);
  return doctor;
}

void stop_on(int number) {
  struct sigaction action = {};
  action.sa_handler = [](int) { pollux::tool::g_stop = 1; };
  sigaction(number, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Pollux: a TCP/IP stack in the application's own process", "pollux");
  app.require_subcommand(1);
  LatencyCommand latency_command;
  PingCommand ping_command;
  const CLI::App* latency = add_latency(app, latency_command);
  add_ping(app, ping_command);
  RunCommand run_command;
  const CLI::App* run = add_run(app, run_command);
  DoctorCommand doctor_command;
  const CLI::App* doctor = add_doctor(app, doctor_command);
  CLI11_PARSE(app, argc, argv);
  if (doctor->parsed()) return pollux::tool::doctor_main(doctor_command);
  if (run->parsed()) return pollux::tool::run_main(run_command);
  stop_on(SIGINT);
  stop_on(SIGTERM);
  return latency->parsed() ? pollux::tool::latency_main(latency_command)
                           : pollux::tool::ping_main(ping_command);
}
