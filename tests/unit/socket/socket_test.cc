// socket_test.cc - which sockets there are.
#include "stack/socket/socket.h"

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

struct Kind {
  int family, type, protocol;
  int error;
};

class SocketTest : public testing_support::SocketWorld {};

TEST_F(SocketTest, families_types_and_protocols) {
  const Kind kinds[] = {
      {AF_INET, SOCK_STREAM, 0, 0},
      {AF_INET, SOCK_STREAM, IPPROTO_TCP, 0},
      {AF_INET6, SOCK_STREAM, 0, 0},
      {AF_INET, SOCK_DGRAM, 0, 0},
      {AF_INET, SOCK_DGRAM, IPPROTO_UDP, 0},
      {AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0},
      {AF_INET6, SOCK_DGRAM, 0, 0},
      {AF_UNIX, SOCK_STREAM, 0, EAFNOSUPPORT},
      {-1, SOCK_STREAM, 0, EAFNOSUPPORT},
      {1000, SOCK_STREAM, 0, EAFNOSUPPORT},
      {AF_INET, -1, 0, EINVAL},
      {AF_INET, 15, 0, EINVAL},
      {AF_INET, SOCK_SEQPACKET, 0, ESOCKTNOSUPPORT},
      {AF_INET, SOCK_STREAM, -1, EINVAL},
      {AF_INET, SOCK_STREAM, 300, EINVAL},
      {AF_INET, SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT},
      {AF_INET, SOCK_DGRAM, IPPROTO_TCP, EPROTONOSUPPORT},
      {AF_INET6, SOCK_DGRAM, IPPROTO_ICMP, EPROTONOSUPPORT},
  };
  for (const Kind& kind : kinds) {
    const Result<Socket*> made = create_socket(world(), {kind.family, kind.type, kind.protocol});
    EXPECT_EQ(made.ok() ? 0 : static_cast<int>(made.error()), kind.error)
        << kind.family << ' ' << kind.type << ' ' << kind.protocol;
    if (made.ok()) (*made)->put();
  }
}

TEST_F(SocketTest, when_the_pool_is_exhausted_it_says_enfile) {
  std::vector<testing_support::Held> all;
  for (int n = 0; n < 256; ++n) all.push_back(open());
  EXPECT_EQ(create_socket(world(), {AF_INET, SOCK_STREAM, 0}).error(), Errno::system_files);
  all.pop_back();
  const testing_support::Held again = open();
  EXPECT_NE(again, nullptr);
}

}  // namespace
}  // namespace pollux
