// sockaddr.cc - what programs write into addresses and read out of them.
#include "stack/api/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace pollux {
namespace {

constexpr socklen_t kMinimumIn6 = 24;  // Linux: SIN6_LEN_RFC2133, without the scope

Endpoint from_in6(const sockaddr_in6& in6) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
  return {*IpAddress::parse(text), ntohs(in6.sin6_port)};
}

}  // namespace

Result<Endpoint> to_endpoint(const sockaddr* address, socklen_t length, int family) {
  if (!address) return Errno::fault;
  if (length < sizeof(sa_family_t)) return Errno::invalid;
  if (family == AF_INET6) {
    if (length < kMinimumIn6) return Errno::invalid;
    if (address->sa_family != AF_INET6) return Errno::address_family_not_supported;
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, std::min<std::size_t>(length, sizeof(in6)));
    return from_in6(in6);
  }
  sockaddr_in in{};
  if (length < sizeof(in)) return Errno::invalid;
  std::memcpy(&in, address, sizeof(in));
  if (in.sin_family != AF_INET) return Errno::address_family_not_supported;
  return Endpoint{IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
}

socklen_t fill_sockaddr(const Endpoint& endpoint, int family, sockaddr_storage& out) {
  out = sockaddr_storage{};
  if (family == AF_INET6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    // An unbound socket of this family is ::, not ::ffff:0.0.0.0.
    if (!endpoint.address.is_unspecified()) {
      std::memcpy(&in6.sin6_addr, endpoint.address.octets().data(), 16);
    }
    std::memcpy(&out, &in6, sizeof(in6));
    return sizeof(in6);
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(endpoint.port);
  in.sin_addr.s_addr = htonl(endpoint.address.is_v4() ? endpoint.address.v4_bits() : 0);
  std::memcpy(&out, &in, sizeof(in));
  return sizeof(in);
}

Result<void> store_endpoint(const Endpoint& endpoint, int family, sockaddr* address,
                            socklen_t* length) {
  if (!address) return {};
  if (!length) return Errno::fault;
  if (static_cast<int>(*length) < 0) return Errno::invalid;
  sockaddr_storage storage;
  const socklen_t size = fill_sockaddr(endpoint, family, storage);
  std::memcpy(address, &storage, std::min(size, *length));
  *length = size;
  return {};
}

}  // namespace pollux
