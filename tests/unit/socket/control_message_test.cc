// control_message_test.cc - cmsgs of every length, true or not.
#include "stack/socket/control_message.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace pollux {
namespace {

// One message in a buffer of its own size.
template <typename T>
std::vector<std::byte> message(int level, int type, const T& value, std::size_t length) {
  std::vector<std::byte> octets(CMSG_SPACE(sizeof value));
  const ::cmsghdr header{.cmsg_len = length, .cmsg_level = level, .cmsg_type = type};
  std::memcpy(octets.data(), &header, sizeof header);
  std::memcpy(octets.data() + CMSG_LEN(0), &value, sizeof value);
  return octets;
}

TEST(ControlMessage, reads_what_ip_offers) {
  ::in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(0xc6120001);
  const auto source = parse_control(message(IPPROTO_IP, IP_PKTINFO, info, CMSG_LEN(sizeof info)));
  ASSERT_TRUE(source.ok());
  EXPECT_EQ(source->source, IpAddress::v4(198, 18, 0, 1));
  const auto ttl = parse_control(message(IPPROTO_IP, IP_TTL, 9, CMSG_LEN(sizeof(int))));
  ASSERT_TRUE(ttl.ok());
  EXPECT_EQ(ttl->ttl, 9);
  const auto tos =
      parse_control(message(IPPROTO_IP, IP_TOS, std::uint8_t{4}, CMSG_LEN(sizeof(std::uint8_t))));
  ASSERT_TRUE(tos.ok());
  EXPECT_EQ(tos->tos, 4);
}

TEST(ControlMessage, refuses_what_is_wrong) {
  for (const int ttl : {0, 256, -1}) {
    EXPECT_FALSE(parse_control(message(IPPROTO_IP, IP_TTL, ttl, CMSG_LEN(4))).ok()) << ttl;
  }
  EXPECT_FALSE(parse_control(message(IPPROTO_IP, IP_TTL, 9, CMSG_LEN(3))).ok());
  EXPECT_FALSE(parse_control(message(IPPROTO_IP, 99, 9, CMSG_LEN(4))).ok());
  EXPECT_FALSE(parse_control(message(SOL_SOCKET, SCM_RIGHTS, 9, CMSG_LEN(4))).ok());
  for (const std::size_t length : {std::size_t{0}, std::size_t{15}, std::size_t{4096}, SIZE_MAX}) {
    EXPECT_FALSE(parse_control(message(IPPROTO_IP, IP_TTL, 9, length)).ok()) << length;
  }
}

TEST(ControlMessage, passes_over_other_levels_and_short_ends) {
  EXPECT_TRUE(parse_control(message(IPPROTO_TCP, 1, 9, CMSG_LEN(4))).ok());
  const std::array<std::byte, 7> stub{};
  EXPECT_TRUE(parse_control(stub).ok());
  EXPECT_TRUE(parse_control({}).ok());
}

TEST(ControlMessage, writes_until_the_room_ends) {
  alignas(::cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int)) + CMSG_LEN(1) - 1> room{};
  ReceiveMessage message{{}, 0, 0, true, {}, false, 0, room};
  ControlWriter writer(message);
  writer.put(IPPROTO_IP, IP_TTL, 7);
  EXPECT_EQ(message.out_flags, 0);
  writer.put(IPPROTO_IP, IP_TOS, std::uint8_t{1});
  writer.finish();
  EXPECT_EQ(message.out_flags, MSG_CTRUNC);
  ASSERT_EQ(message.control.size(), CMSG_SPACE(sizeof(int)));
  const auto* header = reinterpret_cast<const ::cmsghdr*>(message.control.data());
  EXPECT_EQ(header->cmsg_len, CMSG_LEN(sizeof(int)));
  EXPECT_EQ(header->cmsg_type, IP_TTL);
  int value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  EXPECT_EQ(value, 7);
}

}  // namespace
}  // namespace pollux
