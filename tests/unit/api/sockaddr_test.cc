// sockaddr_test.cc - addresses of programs, right, short and of the wrong family.
#include "stack/api/sockaddr.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace pollux {
namespace {

sockaddr_in in_of(std::uint32_t address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(address);
  return in;
}
sockaddr_in6 in6_of(const char* text, std::uint16_t port) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
  return in6;
}
template <typename T>
const sockaddr* generic(const T& t) {
  return reinterpret_cast<const sockaddr*>(&t);
}
const Endpoint kSome{IpAddress::v4(198, 18, 0, 2), 80};

TEST(Sockaddr, reads_both_families) {
  const sockaddr_in in = in_of(0xc6120002, 80);
  EXPECT_EQ(*to_endpoint(generic(in), sizeof in, AF_INET), kSome);
  const sockaddr_in6 mapped = in6_of("::ffff:198.18.0.2", 80);
  EXPECT_EQ(*to_endpoint(generic(mapped), sizeof mapped, AF_INET6), kSome);
  EXPECT_EQ(*to_endpoint(generic(mapped), 24, AF_INET6), kSome);  // as old as RFC 2133
  const sockaddr_in6 any = in6_of("::", 81);
  EXPECT_EQ(*to_endpoint(generic(any), sizeof any, AF_INET6), (Endpoint{IpAddress(), 81}));
}

TEST(Sockaddr, refuses_short_foreign_and_null) {
  const sockaddr_in in = in_of(0xc6120002, 80);
  EXPECT_EQ(to_endpoint(nullptr, sizeof in, AF_INET).error(), Errno::fault);
  for (const socklen_t length : {0u, 1u, 2u, 15u}) {
    EXPECT_EQ(to_endpoint(generic(in), length, AF_INET).error(), Errno::invalid) << length;
  }
  const sockaddr_in6 in6 = in6_of("::1", 80);
  EXPECT_EQ(to_endpoint(generic(in6), 23, AF_INET6).error(), Errno::invalid);
  EXPECT_EQ(to_endpoint(generic(in6), sizeof in6, AF_INET).error(),
            Errno::address_family_not_supported);
  sockaddr_storage wrong{};
  wrong.ss_family = AF_UNIX;
  EXPECT_EQ(to_endpoint(generic(wrong), sizeof wrong, AF_INET6).error(),
            Errno::address_family_not_supported);
}

TEST(Sockaddr, stores_what_fits_and_says_how_long_it_is) {
  sockaddr_in in;
  std::memset(&in, 0xee, sizeof in);
  socklen_t length = 4;
  EXPECT_TRUE(store_endpoint(kSome, AF_INET, reinterpret_cast<sockaddr*>(&in), &length).ok());
  EXPECT_EQ(length, sizeof in);
  EXPECT_EQ(ntohs(in.sin_port), 80);
  EXPECT_EQ(in.sin_addr.s_addr, 0xeeeeeeeeu);
  EXPECT_TRUE(store_endpoint(kSome, AF_INET, reinterpret_cast<sockaddr*>(&in), &length).ok());
  EXPECT_EQ(ntohl(in.sin_addr.s_addr), 0xc6120002u);
}

TEST(Sockaddr, stores_the_mapped_form_in_sockets_of_ipv6) {
  sockaddr_in6 in6{};
  socklen_t length = sizeof in6;
  EXPECT_TRUE(store_endpoint(kSome, AF_INET6, reinterpret_cast<sockaddr*>(&in6), &length).ok());
  EXPECT_EQ(length, sizeof in6);
  EXPECT_TRUE(IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr));
  EXPECT_TRUE(
      store_endpoint({IpAddress::any_v4(), 9}, AF_INET6, reinterpret_cast<sockaddr*>(&in6), &length)
          .ok());
  EXPECT_TRUE(IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr));
}

TEST(Sockaddr, where_nothing_is_wanted_nothing_is_stored) {
  sockaddr_in in{};
  socklen_t negative = static_cast<socklen_t>(-1);
  EXPECT_TRUE(store_endpoint(kSome, AF_INET, nullptr, nullptr).ok());
  auto* address = reinterpret_cast<sockaddr*>(&in);
  EXPECT_EQ(store_endpoint(kSome, AF_INET, address, nullptr).error(), Errno::fault);
  EXPECT_EQ(store_endpoint(kSome, AF_INET, address, &negative).error(), Errno::invalid);
}

}  // namespace
}  // namespace pollux
