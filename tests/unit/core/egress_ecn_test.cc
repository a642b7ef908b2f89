// egress_ecn_test.cc - what the IP header of a connection's packets says of congestion. RFC 3168.
#include <netinet/tcp.h>

#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using testing_support::at;
using testing_support::kTransportAt;
using testing_support::kUs;
using testing_support::Octets;
using testing_support::octets;
using testing_support::tcp_frame;

constexpr std::size_t kTos = 15;  // in a frame
constexpr int kEce = 0x40, kCwr = 0x80, kAckBit = 0x10, kSynBit = 2, kPshBit = 8;

class EgressEcn : public testing_support::StackTest {
 protected:
  // From the peer's port 5000 to our port 80.
  void arrives(std::uint32_t seq, std::uint32_t ack, int control, std::string_view text = "",
               std::uint8_t ecn = 0) {
    Octets segment =
        octets({0x13, 0x88, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, control, 0xff, 0xff, 0, 0, 0, 0});
    const be32 words[] = {be32(seq), be32(ack)};
    std::memcpy(segment.data() + 4, words, sizeof words);
    for (const char octet : text) segment.push_back(static_cast<std::byte>(octet));
    Octets frame = tcp_frame(segment);
    auto& header = *reinterpret_cast<wire::Ipv4Header*>(frame.data() + 14);
    header.tos = ecn;
    header.checksum = 0;
    header.checksum = wire::checksum(ConstBytes(frame.data() + 14, sizeof header));
    device_.arrive(frame);
    poll();
  }
  // TOS and control bits of the one packet that has left since.
  std::pair<int, int> left() {
    EXPECT_EQ(device_.sent.size(), 1u);
    if (device_.sent.empty()) return {};
    frame_ = std::move(device_.sent.front());
    device_.sent.clear();
    return {at<std::uint8_t>(frame_, kTos), at<std::uint8_t>(frame_, kTransportAt + 13)};
  }
  Octets frame_;
};

// 3168-6.1.1a, 3168-6.1.3, SHLD-8, MUST-48: from the peer's question to the marks on our packets.
TEST_F(EgressEcn, a_peer_that_asks_gets_ecn) {
  introduce_peer();
  Socket* listener = nullptr;
  {
    Inside inside(*stack_);
    listener = *create_socket(stack_->world(), {AF_INET, SOCK_STREAM, 0});
    const int tos = 0x2b;  // the two lower bits are not the program's
    const auto value = std::as_bytes(std::span(&tos, 1));
    EXPECT_TRUE(listener->set_option(IPPROTO_IP, IP_TOS, value, inside.now()).ok());
    EXPECT_TRUE(listener->bind({kUs, 80}, inside.now()).ok());
    EXPECT_TRUE(listener->listen(4, inside.now()).ok());
  }
  using Left = std::pair<int, int>;
  arrives(1000, 0, kSynBit | kEce | kCwr);
  EXPECT_EQ(left(), Left(0x28, kSynBit | kAckBit | kEce));
  const std::uint32_t ack = at<be32>(frame_, kTransportAt + 4) + 1;
  arrives(1001, ack, kAckBit);
  Socket* socket = nullptr;
  {
    Inside inside(*stack_);
    socket = *listener->accept(inside.now());
    char text[] = "text";
    const iovec vector{text, 4};
    EXPECT_TRUE(socket->send({{&vector, 1}, 4, 0, nullptr, {}}, inside.now()).ok());
  }
  EXPECT_EQ(left(), Left(0x2a, kAckBit | kPshBit));
  arrives(1001, ack + 4, kAckBit, "marked", 3);
  EXPECT_EQ(left(), Left(0x28, kAckBit | kEce));
  ::tcp_info info{};
  {
    Inside inside(*stack_);
    const auto room = std::as_writable_bytes(std::span(&info, 1));
    EXPECT_TRUE(socket->get_option(IPPROTO_TCP, TCP_INFO, room, inside.now()).ok());
  }
  EXPECT_EQ(info.tcpi_options & (TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN),
            TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN);
  EXPECT_EQ(stack_->counters().tcp_marked_in, 1u);
  socket->put();
  listener->put();
}

}  // namespace
}  // namespace pollux
