// stack_test.cc - a whole Stack between a scripted device and the clock: up, down, and refused.
#include "stack/core/stack.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "stack/core/inside.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/support/eal_environment.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scripted_device.h"

namespace pollux {
namespace {

using testing_support::ManualClock;
using testing_support::Octets;
using testing_support::ScriptedDevice;
using testing_support::test_pool;

constexpr std::uint8_t kPeerMac[6] = {2, 0, 0, 0, 0, 1};
constexpr std::uint8_t kOurMac[6] = {2, 0, 0, 0, 0, 2};
const IpAddress kUs = IpAddress::v4(198, 18, 0, 2);
const IpAddress kPeer = IpAddress::v4(198, 18, 0, 1);

Octets octets(std::initializer_list<int> values) {
  Octets result;
  for (int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

template <typename T>
void append(Octets& to, const T& value) {
  const auto* from = reinterpret_cast<const std::byte*>(&value);
  to.insert(to.end(), from, from + sizeof(T));
}

template <typename T>
const T& at(const Octets& frame, std::size_t offset) {
  return *reinterpret_cast<const T*>(frame.data() + offset);
}

Octets ethernet_frame(std::uint16_t type, const std::uint8_t* to = kOurMac) {
  Octets frame;
  for (int i = 0; i < 6; ++i) frame.push_back(static_cast<std::byte>(to[i]));
  for (int i = 0; i < 6; ++i) frame.push_back(static_cast<std::byte>(kPeerMac[i]));
  append(frame, be16(type));
  return frame;
}

// An IPv4 packet from the peer to us with a right header checksum.
Octets ip_frame(std::uint8_t protocol, const Octets& payload) {
  Octets frame = ethernet_frame(0x0800);
  wire::Ipv4Header header{};
  header.version_ihl = 0x45;
  header.total_length = static_cast<std::uint16_t>(20 + payload.size());
  header.ttl = 64;
  header.protocol = protocol;
  header.source = kPeer.v4_bits();
  header.destination = kUs.v4_bits();
  wire::Sum sum;
  sum.add(ConstBytes(reinterpret_cast<const std::byte*>(&header), sizeof(header)));
  header.checksum = sum.checksum();
  append(frame, header);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

Octets tcp_frame(Octets segment) {
  wire::Sum sum(wire::pseudo_header_sum({kPeer, kUs, wire::kProtocolTcp, 20}));
  sum.add(segment);
  const be16 checksum(sum.checksum());
  std::memcpy(segment.data() + 16, &checksum, 2);
  return ip_frame(wire::kProtocolTcp, segment);
}

Octets arp_request() {
  const std::uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  Octets frame = ethernet_frame(0x0806, all);
  const Octets arp = octets(
      {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 198, 18, 0, 1, 0, 0, 0, 0, 0, 0, 198, 18, 0, 2});
  frame.insert(frame.end(), arp.begin(), arp.end());
  return frame;
}

Octets echo_request() {
  Octets message = octets({8, 0, 0, 0, 0x12, 0x34, 0, 1, 'h', 'i'});
  wire::Sum sum;
  sum.add(message);
  const be16 checksum(sum.checksum());
  std::memcpy(message.data() + 2, &checksum, 2);
  return ip_frame(wire::kProtocolIcmp, message);
}

// A datagram of one octet from the peer; its checksum is right plus `error`.
Octets datagram_to(std::uint16_t port, std::uint16_t error) {
  constexpr std::uint16_t kPeerPort = 9, kLength = 9;
  Octets datagram;
  for (const std::uint16_t field : {kPeerPort, port, kLength, std::uint16_t{0}}) {
    append(datagram, be16(field));
  }
  datagram.push_back(std::byte{'x'});
  wire::Sum sum;
  Octets pseudo;
  append(pseudo, be32(kPeer.v4_bits()));
  append(pseudo, be32(kUs.v4_bits()));
  append(pseudo, be16(wire::kProtocolUdp));
  append(pseudo, be16(kLength));
  pseudo.insert(pseudo.end(), datagram.begin(), datagram.end());
  sum.add(pseudo);
  const be16 checksum(static_cast<std::uint16_t>(sum.checksum() + error));
  std::memcpy(datagram.data() + 6, &checksum, 2);
  return ip_frame(wire::kProtocolUdp, datagram);
}

class StackTest : public testing_support::PoolEndsFull {
 protected:
  StackTest() : ports_(64, {}, 1), device_(test_pool()) {
    config_.connections = 64;
    config_.listeners = 4;
    config_.time_waits = 64;
    config_.sockets = 64;
    configure_sockets(64);
    stack_ = std::make_unique<Stack>(config_, Stack::Parts{test_pool(), ports_, clock_, 0}, 1,
                                     tcp::Secret{});
    PortConfig port;
    port.addresses = {{kUs, 24}};
    stack_->add_interface(device_, port);
  }
  void TearDown() override {
    stack_.reset();
    PoolEndsFull::TearDown();
  }
  void poll() {
    Inside inside(*stack_);
    stack_->poll(64, inside.now());
  }
  // The peer has asked for our address, so that we know its own; announcements are forgotten.
  void introduce_peer() {
    device_.arrive(arp_request());
    poll();
    device_.sent.clear();
  }
  Socket& udp_socket() {
    Inside inside(*stack_);
    const auto socket = create_socket(stack_->world(), {AF_INET, SOCK_DGRAM, IPPROTO_UDP});
    CHECK(socket.ok());
    return **socket;
  }
  Result<std::size_t> send_to(Socket& socket, const IpAddress& address) {
    char text[] = "x";
    const iovec vector{text, 1};
    const Endpoint to{address, 9};
    Inside inside(*stack_);
    return socket.send({{&vector, 1}, 1, 0, &to, {}}, inside.now());
  }

  ManualClock clock_;
  Config config_;
  tcp::Ports ports_;
  ScriptedDevice device_;
  std::unique_ptr<Stack> stack_;
};

TEST_F(StackTest, an_arp_request_for_us_is_answered) {
  poll();  // our own announcement
  device_.sent.clear();
  device_.arrive(arp_request());
  poll();
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(at<be16>(device_.sent[0], 12), 0x0806);
  EXPECT_EQ(at<be16>(device_.sent[0], 20), 2);  // a reply
}

TEST_F(StackTest, an_echo_request_comes_back_with_its_data) {
  introduce_peer();
  device_.arrive(echo_request());
  poll();
  ASSERT_EQ(device_.sent.size(), 1u);
  const Octets& reply = device_.sent[0];
  EXPECT_EQ(reply.size(), echo_request().size());
  EXPECT_EQ(at<std::uint8_t>(reply, 34), 0);  // echo reply
  EXPECT_EQ(static_cast<char>(reply[42]), 'h');
  EXPECT_EQ(stack_->counters().icmp_in, 1u);
}

TEST_F(StackTest, a_damaged_header_is_counted_and_not_answered) {
  introduce_peer();
  Octets frame = echo_request();
  frame[30] ^= std::byte{1};  // the destination: the checksum no longer fits
  device_.arrive(frame);
  poll();
  EXPECT_TRUE(device_.sent.empty());
  EXPECT_EQ(stack_->drops(Drop::bad_checksum), 1u);
}

// epoll-behaviours 18.8. Linux looks at the checksum when it is asked or read, and may say IN to
// who does not block; here such a datagram never gets as far as the socket.
TEST_F(StackTest, a_damaged_datagram_makes_nobody_readable) {
  Socket& socket = udp_socket();
  const Endpoint local{kUs, 1053};
  {
    Inside inside(*stack_);
    ASSERT_TRUE(socket.bind(local, inside.now()).ok());
  }
  const auto is_readable = [&] {
    poll();
    Inside inside(*stack_);
    return socket.poll().has(kIn);
  };
  device_.arrive(datagram_to(local.port, 1));
  EXPECT_FALSE(is_readable());
  EXPECT_EQ(stack_->drops(Drop::bad_checksum), 1u);
  device_.arrive(datagram_to(local.port, 0));
  EXPECT_TRUE(is_readable());
  socket.put();
}

TEST_F(StackTest, a_segment_to_a_closed_port_gets_a_reset) {
  introduce_peer();
  const Octets segment = octets({0x30, 0x39, 0,    80,   0,    0, 0, 1, 0, 0, 0,
                                 0,    0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0});  // SYN to port 80
  device_.arrive(tcp_frame(segment));
  poll();
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(at<std::uint8_t>(device_.sent[0], 34 + 13), 0x14);  // RST, ACK
}

int napi_id(Stack& stack, Socket& socket) {
  Inside inside(stack);
  int id = -1;
  const auto room = std::as_writable_bytes(std::span(&id, 1));
  EXPECT_TRUE(socket.get_option(SOL_SOCKET, SO_INCOMING_NAPI_ID, room, inside.now()).ok());
  return id;
}

TEST_F(StackTest, epoll_13_5_a_datagram_socket_knows_its_queue_when_a_device_has_spoken) {
  Socket& socket = udp_socket();
  {
    Inside inside(*stack_);
    ASSERT_TRUE(socket.bind({IpAddress::any_v4(), 9}, inside.now()).ok());
  }
  EXPECT_TRUE(send_to(socket, kUs).ok());  // to itself, over loopback
  EXPECT_EQ(napi_id(*stack_, socket), 0);
  device_.arrive(ip_frame(wire::kProtocolUdp, octets({0, 7, 0, 9, 0, 9, 0, 0, 'x'})));
  poll();
  EXPECT_EQ(napi_id(*stack_, socket), 1);
  socket.put();
}

TEST_F(StackTest, epoll_13_5_a_connection_knows_its_queue_once_the_peer_has_answered) {
  introduce_peer();
  Socket* socket = nullptr;
  {
    Inside inside(*stack_);
    socket = *create_socket(stack_->world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    EXPECT_EQ(socket->connect({kPeer, 80}, inside.now()).error(), Errno::in_progress);
  }
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(napi_id(*stack_, *socket), 0);
  Octets answer = octets({0, 80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12, 0xff, 0xff, 0, 0, 0, 0});
  const auto port = at<be16>(device_.sent[0], 34);
  const be32 ack(at<be32>(device_.sent[0], 38) + 1);
  std::memcpy(answer.data() + 2, &port, 2);
  std::memcpy(answer.data() + 8, &ack, 4);
  device_.arrive(tcp_frame(answer));
  poll();
  EXPECT_EQ(napi_id(*stack_, *socket), 1);
  socket->put();
}

TEST_F(StackTest, an_unknown_protocol_and_an_unknown_type_are_counted) {
  introduce_peer();
  device_.arrive(ip_frame(99, octets({1, 2, 3, 4, 5, 6, 7, 8})));
  device_.arrive(ethernet_frame(0x88cc));
  poll();
  EXPECT_EQ(stack_->drops(Drop::unknown_protocol), 1u);
  EXPECT_EQ(stack_->drops(Drop::unknown_ether_type), 1u);
  ASSERT_EQ(device_.sent.size(), 1u);  // ICMP: protocol unreachable
  EXPECT_EQ(at<std::uint8_t>(device_.sent[0], 34), 3);
  EXPECT_EQ(at<std::uint8_t>(device_.sent[0], 35), 2);
}

TEST_F(StackTest, what_a_device_refuses_leaves_later_in_order) {
  introduce_peer();
  Socket& socket = udp_socket();
  device_.refuses = true;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(device_.sent.empty());
  device_.refuses = false;
  clock_.advance(Duration::us(50));
  poll();
  EXPECT_EQ(device_.sent.size(), 3u);
  socket.put();
}

TEST_F(StackTest, a_packet_the_device_never_takes_is_given_up_after_a_while) {
  introduce_peer();
  Socket& socket = udp_socket();
  device_.refuses = true;
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  clock_.advance(Duration::ms(99));
  poll();
  EXPECT_EQ(stack_->counters().tx_dropped, 0u);
  clock_.advance(Duration::ms(2));
  poll();
  EXPECT_EQ(stack_->counters().tx_dropped, 1u);
  socket.put();
}

TEST_F(StackTest, a_refusing_device_holds_back_nobody_on_the_loopback_interface) {
  introduce_peer();
  Socket& socket = udp_socket();
  Socket& listener = udp_socket();
  {
    Inside inside(*stack_);
    ASSERT_TRUE(listener.bind({IpAddress::v4(127, 0, 0, 1), 9}, inside.now()).ok());
  }
  device_.refuses = true;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(send_to(socket, IpAddress::v4(127, 0, 0, 1)).ok());
  {
    Inside inside(*stack_);
    EXPECT_TRUE(listener.poll().has(kIn));
  }
  socket.put();
  listener.put();
}

TEST_F(StackTest, writes_after_several_events_leave_together) {
  introduce_peer();
  Socket& socket = udp_socket();
  stack_->note_wait_returned(3);
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(device_.sent.empty());
  EXPECT_TRUE(send_to(socket, kPeer).ok());  // the third of three
  EXPECT_EQ(device_.sent.size(), 3u);
  socket.put();
}

TEST_F(StackTest, a_deferred_write_leaves_with_the_first_call_after_10_us) {
  introduce_peer();
  Socket& socket = udp_socket();
  stack_->note_wait_returned(8);
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(device_.sent.empty());
  clock_.advance(Duration::us(11));
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_EQ(device_.sent.size(), 2u);
  socket.put();
}

TEST_F(StackTest, nothing_is_deferred_while_somebody_sleeps_on_the_device) {
  introduce_peer();
  Socket& socket = udp_socket();
  Sleeper other;
  {
    Inside inside(*stack_);
    stack_->arm(other);
    stack_->announce_sleep(other, Duration::ms(1));
  }
  stack_->note_wait_returned(8);
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_EQ(device_.sent.size(), 1u);
  {
    Inside inside(*stack_);
    stack_->disarm(other);
  }
  socket.put();
}

TEST_F(StackTest, whoever_sets_an_earlier_timer_wakes_the_sleeper) {
  introduce_peer();
  Sleeper other;
  Socket* socket = nullptr;
  {
    Inside inside(*stack_);
    stack_->arm(other);
    stack_->announce_sleep(other, Duration::ms(1));
    const auto made = create_socket(stack_->world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    ASSERT_TRUE(made.ok());
    socket = *made;
  }
  other.reset();
  {
    Inside inside(*stack_);
    const Result<void> connected = socket->connect({kPeer, 80}, inside.now());
    EXPECT_EQ(connected.error(), Errno::in_progress);  // the SYN's timer runs now
  }
  EXPECT_TRUE(other.is_woken());
  {
    Inside inside(*stack_);
    stack_->disarm(other);
  }
  socket->put();
}

// Impair takes packets in and shows them later: another thread's burst may be what did that.
TEST_F(StackTest, a_device_event_found_by_an_empty_poll_wakes_the_sleeper) {
  introduce_peer();
  Sleeper other;
  {
    Inside inside(*stack_);
    stack_->arm(other);
    stack_->announce_sleep(other, Duration::ms(1));
  }
  other.reset();
  device_.next = clock_.now() + Duration::ms(1);
  {
    Entered entered(stack_->entry());
    EXPECT_FALSE(stack_->poll(64, clock_.now()));
    EXPECT_TRUE(other.is_woken());
    stack_->disarm(other);
  }
}

// The softirq thread before a waiter that has taken the devices from it and has already gone again.
TEST_F(StackTest, who_has_lost_the_devices_neither_announces_a_sleep_nor_arms_again) {
  introduce_peer();
  Socket& socket = udp_socket();
  Sleeper late, other;
  {
    Inside inside(*stack_);
    stack_->arm(late);
    late.wake();
    stack_->arm(other);
    EXPECT_LE(stack_->announce_sleep(late, Duration::ms(1)), inside.now());
    stack_->disarm(other);
    EXPECT_LE(stack_->announce_sleep(late, Duration::ms(1)), inside.now());
    stack_->disarm(late);
  }
  EXPECT_TRUE(send_to(socket, kPeer).ok());  // nobody is asleep: nobody is woken
  {
    Inside inside(*stack_);
    stack_->arm(other);
    stack_->arm(late);
    stack_->announce_sleep(other, Duration::ms(1));
  }
  device_.next = clock_.now() + Duration::ms(1);
  {
    Entered entered(stack_->entry());
    EXPECT_FALSE(stack_->poll(64, clock_.now()));
    EXPECT_TRUE(other.is_woken());
    stack_->disarm(other);
  }
  socket.put();
}

TEST_F(StackTest, nobody_sleeps_on_what_a_writer_holds_back) {
  introduce_peer();
  Socket& socket = udp_socket();
  Sleeper other;
  stack_->note_wait_returned(8);
  EXPECT_TRUE(send_to(socket, kPeer).ok());
  EXPECT_TRUE(device_.sent.empty());
  {
    Inside inside(*stack_);
    stack_->arm(other);
    EXPECT_LE(stack_->announce_sleep(other, Duration::ms(1)), inside.now());
    stack_->disarm(other);
  }
  socket.put();
}

}  // namespace
}  // namespace pollux
