// ingress_udp_test.cc - raw UDP into a whole Stack: who gets it, who is told that nobody does.
#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

class IngressUdpTest : public RawTest {};

// 1122-4.1.3.1: port unreachable from the address that was asked, quoting the datagram; at most a
// few at a time, of each sender. None to broadcast and multicast: see ingress_icmp_test.cc.
TEST_F(IngressUdpTest, a_closed_port_is_said_to_be_but_not_always) {
  const Octets frame = udp_frame({}, 4000, counted(30));
  const std::vector<Octets> refusal = answers(device_, frame);
  ASSERT_EQ(refusal.size(), 1u);
  EXPECT_EQ(at<std::uint8_t>(refusal[0], kTransportAt), 3);
  EXPECT_EQ(at<std::uint8_t>(refusal[0], kTransportAt + 1), 3);
  EXPECT_EQ(at<be32>(refusal[0], kIpAt + 12), kUs.v4_bits());
  const Octets quote(refusal[0].begin() + kTransportAt + 8, refusal[0].end());
  EXPECT_EQ(quote, Octets(frame.begin() + kIpAt, frame.end()));  // 792-quote
  std::size_t more = 0;
  for (int i = 0; i < 1000; ++i) more += answers(device_, frame).size();
  EXPECT_GE(more, 5u);
  EXPECT_LE(more, 11u);
  EXPECT_EQ(stack_->drops(Drop::no_port), 1001u);
}

// 1122-4.1.3.4: a wrong checksum is dropped in silence, wherever the damage is; none at all is
// taken.
TEST_F(IngressUdpTest, a_wrong_checksum_is_dropped_in_silence) {
  Socket& socket = udp_at(4000);
  const Octets right = udp_frame({}, 4000, counted(21));
  for (std::size_t where = kTransportAt + 8; where < right.size(); ++where) {
    Octets wrong = right;
    wrong[where] ^= std::byte{0x10};
    EXPECT_TRUE(is_silent_drop(device_, wrong, Drop::bad_checksum)) << where;
  }
  Octets closed = udp_frame({}, 4001, counted(21));
  closed.back() ^= std::byte{1};
  EXPECT_TRUE(is_silent_drop(device_, closed, Drop::bad_checksum)) << "no port unreachable either";
  EXPECT_FALSE(read(socket));
  Octets without = right;
  without[kTransportAt + 6] = without[kTransportAt + 7] = std::byte{0};
  answers(device_, without);
  EXPECT_EQ(read(socket), counted(21));
  socket.put();
}

// udp-loop (CVE-2024-2169): nothing in the stack answers echo, discard, daytime, quote or chargen:
// port to port, no two hosts can be made to talk for ever.
TEST_F(IngressUdpTest, no_service_answers_by_itself) {
  for (const int port : {7, 9, 13, 17, 19, 37, 53, 69, 123, 137, 161, 1900}) {
    pass(Duration::seconds(20));
    introduce(device_, kPeer, kUs);
    const std::vector<Octets> refusal =
        answers(device_, udp_frame({}, static_cast<std::uint16_t>(port), counted(30)));
    ASSERT_EQ(refusal.size(), 1u) << port;
    EXPECT_EQ(at<std::uint8_t>(refusal[0], kIpAt + 9), wire::kProtocolIcmp);
  }
}

// udp-zero: a datagram of no octets is one, and says from whom it is.
TEST_F(IngressUdpTest, a_datagram_without_octets_is_delivered) {
  Socket& socket = udp_at(4000);
  answers(device_, udp_frame({}, 4000, {}));
  answers(device_, udp_frame({}, 4000, counted(1)));
  EXPECT_EQ(read(socket), Octets());
  EXPECT_EQ(read(socket), counted(1));
  EXPECT_FALSE(read(socket));
  socket.put();
}

}  // namespace
}  // namespace pollux
