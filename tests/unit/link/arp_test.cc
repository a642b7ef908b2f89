// arp_test.cc - ARP packets read and written, each field wrong once.
#include "stack/link/arp.h"

#include "tests/support/test_packets.h"

namespace pollux::arp {
namespace {

using test::Octets;
using test::octets_in;
using test::packet_of;

class Arp : public test::PacketTest {};

// Who has 198.18.0.1? Tell 198.18.0.2.
const Octets kRequest{0,   1,  8, 0, 6, 4, 0, 1, 2, 0, 0,   0,  0, 2,
                      198, 18, 0, 2, 0, 0, 0, 0, 0, 0, 198, 18, 0, 1};

TEST_F(Arp, request_is_read) {
  const Accepted<ArpMessage> message = decode(packet_of(kRequest));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->operation, ArpMessage::Operation::request);
  EXPECT_EQ(message->sender_mac, (MacAddress{2, 0, 0, 0, 0, 2}));
  EXPECT_EQ(message->sender, IpAddress::v4(198, 18, 0, 2));
  EXPECT_EQ(message->target_mac, MacAddress{});
  EXPECT_EQ(message->target, IpAddress::v4(198, 18, 0, 1));
}

TEST_F(Arp, reply_with_padding_and_in_segments_is_read) {
  Octets octets = kRequest;
  octets[7] = 2;
  octets.resize(46);
  const Accepted<ArpMessage> message = decode(packet_of(octets, {3, 10}));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->operation, ArpMessage::Operation::reply);
  EXPECT_EQ(message->target, IpAddress::v4(198, 18, 0, 1));
}

TEST_F(Arp, each_wrong_field_is_a_drop) {  // 826-rx
  for (std::size_t at = 0; at < 8; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Octets octets = kRequest;
      octets[at] ^= static_cast<std::uint8_t>(1u << bit);
      if (octets[6] == 0 && octets[7] <= 2 && octets[7] != 0 && at == 7) continue;
      const Accepted<ArpMessage> message = decode(packet_of(octets));
      ASSERT_FALSE(message) << at << "." << bit;
      EXPECT_EQ(message.error(), Drop::bad_arp);
    }
  }
}

TEST_F(Arp, operations_other_than_request_and_reply_are_drops) {
  for (unsigned operation = 0; operation < 12; ++operation) {
    Octets octets = kRequest;
    octets[7] = static_cast<std::uint8_t>(operation);
    EXPECT_EQ(decode(packet_of(octets)).ok(), operation == 1 || operation == 2) << operation;
  }
}

TEST_F(Arp, too_short) {
  for (std::size_t size = 0; size < kRequest.size(); ++size) {
    const Octets cut(kRequest.begin(), kRequest.begin() + static_cast<long>(size));
    EXPECT_EQ(decode(packet_of(cut)).error(), Drop::too_short);
  }
}

TEST_F(Arp, what_is_written_is_read_back) {
  ArpMessage message;
  message.operation = ArpMessage::Operation::request;
  message.sender_mac = {2, 0, 0, 0, 0, 2};
  message.sender = IpAddress::v4(198, 18, 0, 2);
  message.target = IpAddress::v4(198, 18, 0, 1);
  EXPECT_EQ(octets_in(encode(test::test_pool(), message)), kRequest);
}

}  // namespace
}  // namespace pollux::arp
