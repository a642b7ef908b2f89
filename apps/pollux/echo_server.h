// echo_server.h - the server end of `pollux latency`: TCP and UDP echo over either table of calls.
#pragma once

#include <netinet/in.h>

#include <string>

#include "apps/pollux/calls.h"

namespace pollux::tool {

struct ServeOptions {
  sockaddr_in address{};
  bool spin = false;
};

// Serves until g_stop. Returns "" or what failed. `ready` is printed once clients may connect.
std::string serve_echo(const SocketCalls& calls, const ServeOptions& options,
                       const std::string& ready);

}  // namespace pollux::tool
