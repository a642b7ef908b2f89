// ipv4_name.h - an address and a port as the socket calls want them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>

namespace pollux::testing_support {

inline sockaddr_in ipv4_name(const char* address, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  inet_pton(AF_INET, address, &name.sin_addr);
  return name;
}

}  // namespace pollux::testing_support
