// latency.cc - `pollux latency`: one closed-loop measurement, or the echo server it talks to.

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "apps/pollux/commands.h"
#include "apps/pollux/echo_server.h"
#include "apps/pollux/load.h"
#include "apps/pollux/report.h"

namespace pollux::tool {

namespace {

constexpr std::size_t kMinUdpSize = sizeof(std::uint64_t);
constexpr std::size_t kMaxUdpSize = 65507;

int usage_error(const std::string& message) {
  fmt::print(stderr, "pollux latency: {}\n", message);
  return 2;
}

int serve(const LatencyCommand& command, const StackSession& session) {
  ServeOptions options;
  options.spin = command.spin;
  const std::string host = command.host.empty() ? "0.0.0.0" : command.host;
  if (!parse_address(host, command.port, options.address)) {
    return usage_error(host + " is not a numeric IPv4 address");
  }
  const std::string ready = fmt::format("{}:{}", host, command.port);
  const std::string error = serve_echo(session.calls(), options, ready);
  if (!error.empty()) fmt::print(stderr, "pollux latency: {}\n", error);
  return error.empty() ? 0 : 1;
}

bool write_json(const std::string& file, const std::string& text) {
  std::FILE* out = file == "-" ? stdout : std::fopen(file.c_str(), "w");
  if (out == nullptr) {
    fmt::print(stderr, "pollux latency: {}: {}\n", file, std::strerror(errno));
    return false;
  }
  const bool written = std::fputs(text.c_str(), out) >= 0;
  return (out == stdout ? std::fflush(out) : std::fclose(out)) == 0 && written;
}

int measure(const LatencyCommand& command, const LoadOptions& options,
            const StackSession& session) {
  const auto result = std::make_unique<LoadResult>();
  Load load(session.calls(), options);
  if (!load.run(*result)) {
    fmt::print(stderr, "pollux latency: {}\n", load.error());
    return 1;
  }
  const Report report{options, *result, session.calls().name,
                      fmt::format("{}:{}", command.host, command.port)};
  if (command.json != "-") fmt::print("{}", report_text(report));
  if (!command.json.empty() && !write_json(command.json, report_json(report))) return 1;
  if (result->latency.count() == 0) fmt::print(stderr, "pollux latency: no answers came\n");
  return result->latency.count() != 0 && result->corrupt == 0 ? 0 : 1;
}

}  // namespace

int latency_main(const LatencyCommand& command) {
  LoadOptions options;
  options.udp = command.udp;
  options.connections = command.connections;
  options.depth = command.depth;
  options.size = command.size;
  options.warmup_s = command.warmup_s;
  options.duration_s = command.duration_s;
  options.interval_s = command.interval_s;
  options.count = command.count;
  options.spin = command.spin;
  options.progress = !command.quiet && isatty(STDERR_FILENO) != 0;
  if (!command.serve && !parse_address(command.host, command.port, options.server)) {
    return usage_error("HOST must be a numeric IPv4 address");
  }
  if (options.udp && (options.size < kMinUdpSize || options.size > kMaxUdpSize)) {
    return usage_error(fmt::format("a datagram has {} to {} octets", kMinUdpSize, kMaxUdpSize));
  }
  const StackSession session(command.stack);
  if (!session.started()) {
    fmt::print(stderr, "pollux latency: {}\n", session.error());
    return 1;
  }
  return command.serve ? serve(command, session) : measure(command, options, session);
}

}  // namespace pollux::tool
