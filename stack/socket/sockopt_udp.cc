// sockopt_udp.cc - the rows of IPPROTO_UDP. udp(7); Linux: udp_lib_setsockopt().
//
// Left out, so ENOPROTOOPT: UDP_ENCAP, UDP_SEGMENT, UDP_GRO, and checksums of UDP over IPv6.
#include <netinet/udp.h>

#include "stack/socket/sockopt.h"
#include "stack/socket/udp_socket.h"

namespace pollux {
namespace {

Result<void> set_cork(Socket& s, int value, Instant) {
  s.options().set(SocketFlag::udp_cork, value != 0);
  if (value != 0) return {};
  // Linux tells nobody whether that worked.
  static_cast<void>(static_cast<UdpSocket&>(s).send_held());
  return {};
}

constexpr Option kOptions[] = {
    {IPPROTO_UDP, UDP_CORK, get_flag<SocketFlag::udp_cork>, set_cork},
};

}  // namespace

std::span<const Option> udp_level_options() { return kOptions; }

}  // namespace pollux
