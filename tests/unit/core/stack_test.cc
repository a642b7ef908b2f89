// stack_test.cc - a whole Stack between a scripted device and the clock: up, down, and refused.
#include "stack/core/stack.h"

#include "tests/unit/core/stack_world.h"

namespace pollux {
namespace {

using testing_support::arp_request;
using testing_support::at;
using testing_support::datagram_to;
using testing_support::echo_request;
using testing_support::ethernet_frame;
using testing_support::ip_frame;
using testing_support::kPeer;
using testing_support::kUs;
using testing_support::Octets;
using testing_support::octets;
using testing_support::StackTest;
using testing_support::tcp_frame;

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
  Socket& socket = connecting_to(kPeer);
  ASSERT_EQ(device_.sent.size(), 1u);
  EXPECT_EQ(napi_id(*stack_, socket), 0);
  Octets answer = octets({0, 80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12, 0xff, 0xff, 0, 0, 0, 0});
  const auto port = at<be16>(device_.sent[0], 34);
  const be32 ack(at<be32>(device_.sent[0], 38) + 1);
  std::memcpy(answer.data() + 2, &port, 2);
  std::memcpy(answer.data() + 8, &ack, 4);
  device_.arrive(tcp_frame(answer));
  poll();
  EXPECT_EQ(napi_id(*stack_, socket), 1);
  socket.put();
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

// fault-tx-stall.
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

// fault-tx-stall.
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
