// device_loss_test.cc - links that go down and come back, devices that go for good, merged frames.
#include "tests/unit/core/stack_world.h"

namespace pollux {
namespace {

using testing_support::append;
using testing_support::arp_request;
using testing_support::at;
using testing_support::ip_frame;
using testing_support::kPeer;
using testing_support::kUs;
using testing_support::Octets;
using testing_support::octets;
using testing_support::ScriptedDevice;
using testing_support::StackTest;
using testing_support::tcp_frame;
using testing_support::test_pool;

constexpr std::uint8_t kSynAck = 0x12, kAck = 0x10;
constexpr std::size_t kTcp = 34;  // where the TCP header of a frame begins

class DeviceLoss : public StackTest {
 protected:
  Socket& socket(int type = SOCK_STREAM) {
    Inside inside(*stack_);
    const auto made = create_socket(stack_->world(), {AF_INET, type, 0});
    CHECK(made.ok());
    return **made;
  }
  template <typename Act>
  auto inside(Socket& socket, Act&& act) {
    Inside inside(*stack_);
    return act(socket, inside.now());
  }
  PollEvents events(Socket& s) {
    return inside(s, [](Socket& a, Instant) { return a.poll(); });
  }
  Errno error(Socket& s) {
    return inside(s, [](Socket& a, Instant) { return a.take_error(); });
  }
  Result<std::size_t> read(Socket& s, std::span<std::byte> to) {
    return inside(s, [to](Socket& a, Instant now) {
      const iovec vector{to.data(), to.size()};
      ReceiveMessage message{};
      message.vector = {&vector, 1};
      message.length = to.size();
      return a.receive(message, now);
    });
  }
  Result<std::size_t> write(Socket& s, std::size_t size) {
    return inside(s, [size](Socket& a, Instant now) {
      Octets text(size, std::byte{'x'});
      const iovec vector{text.data(), text.size()};
      return a.send({{&vector, 1}, size, 0, nullptr, {}}, now);
    });
  }
  Errno connect(Socket& s, const IpAddress& to) {
    return inside(s, [&](Socket& a, Instant now) { return a.connect({to, 80}, now).error(); });
  }
  void bind(Socket& s, const IpAddress& to, std::uint16_t port) {
    ASSERT_TRUE(inside(s, [&](Socket& a, Instant now) { return a.bind({to, port}, now).ok(); }));
  }
  // A segment of the peer's that answers the last one we sent.
  Octets answer(std::uint8_t control, std::uint32_t seq, const Octets& text = {}) {
    const Octets& last = device_.sent.back();
    const bool is_syn = (at<std::uint8_t>(last, kTcp + 13) & 2) != 0;
    const std::size_t header = at<std::uint8_t>(last, kTcp + 12) / 16u * 4;
    const auto length = static_cast<std::uint32_t>(last.size() - kTcp - header);
    Octets segment;
    append(segment, be16(80));
    append(segment, at<be16>(last, kTcp));
    append(segment, be32(seq));
    append(segment, be32(at<be32>(last, kTcp + 4) + length + (is_syn ? 1 : 0)));
    for (const int octet : {0x50, int{control}, 0xff, 0xff, 0, 0, 0, 0}) {
      segment.push_back(static_cast<std::byte>(octet));
    }
    segment.insert(segment.end(), text.begin(), text.end());
    return tcp_frame(segment);
  }
  Socket& connected() {
    introduce_peer();
    Socket& s = socket();
    EXPECT_EQ(connect(s, kPeer), Errno::in_progress);
    device_.arrive(answer(kSynAck, 1));
    poll();
    EXPECT_TRUE(events(s).has(kOut));
    return s;
  }
  void pass(Duration time) {
    for (Duration step; step < time; step = step + Duration::ms(100)) {
      clock_.advance(Duration::ms(100));
      poll();
    }
  }
  // Forgets what was sent but texts of 100 octets (the peer may be asked for); how many are left.
  std::size_t keep_texts() {
    std::erase_if(device_.sent,
                  [](const Octets& frame) { return frame.size() != kTcp + 20 + 100; });
    return device_.sent.size();
  }
  void take_device_away() {
    device_.is_taken_away = true;
    poll();
  }
};

TEST_F(DeviceLoss, a_frame_merged_of_many_segments_is_read_whole) {
  Socket& s = connected();
  Octets text(40'000);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>(i * 7 >> 3);
  Octets frame = answer(kAck, 2, text);
  frame[kTcp + 16] ^= std::byte{0x55};  // the checksum is the first segment's
  device_.arrive(frame, {Checksum::valid, Checksum::valid, 0, false});
  device_.sent.clear();
  poll();
  Octets got(text.size() + 1);
  const Result<std::size_t> n = read(s, got);
  ASSERT_TRUE(n.ok());
  got.resize(*n);
  EXPECT_EQ(got, text);
  ASSERT_FALSE(device_.sent.empty());
  EXPECT_EQ(at<be32>(device_.sent.back(), kTcp + 8), 2 + text.size());  // all acknowledged
  s.put();
}

TEST_F(DeviceLoss, a_merged_frame_with_a_wrong_checksum_counts_if_the_device_is_silent) {
  Socket& s = connected();
  Octets frame = answer(kAck, 2, Octets(3000));
  frame[kTcp + 16] ^= std::byte{0x55};
  device_.arrive(frame);
  poll();
  EXPECT_EQ(stack_->drops(Drop::bad_checksum), 1u);
  s.put();
}

TEST_F(DeviceLoss, what_a_device_cuts_has_no_more_segments_than_it_takes) {
  device_.caps().tx_tcp_checksum = device_.caps().tx_tso = true;
  device_.caps().tx_tso_segments = 5;
  Socket& s = connected();
  device_.sent.clear();
  EXPECT_TRUE(write(s, 10'000).ok());
  std::size_t largest = 0;
  for (const Octets& frame : device_.sent) largest = std::max(largest, frame.size());
  EXPECT_GT(largest, 3000u);  // more than a segment in one
  EXPECT_LE(largest, kTcp + 20 + 3 * 2048);
  s.put();
}

// fault-flap.
TEST_F(DeviceLoss, without_a_link_what_is_sent_is_lost_and_comes_again) {
  Socket& s = connected();
  device_.has_link = false;
  clock_.advance(Duration::seconds(2));
  device_.next = clock_.now();  // any timer: then the link is looked at
  poll();
  device_.next = Instant::never();
  EXPECT_EQ(stack_->counters().link_downs, 1u);
  device_.sent.clear();
  EXPECT_TRUE(write(s, 100).ok());
  pass(Duration::seconds(5));
  EXPECT_TRUE(device_.sent.empty());
  EXPECT_GT(stack_->counters().tx_dropped, 1u);
  EXPECT_GT(stack_->counters().tcp_retransmitted, 1u);
  device_.has_link = true;
  device_.arrive(arp_request());  // the peer, whom we have had to doubt (MUST-20)
  pass(Duration::seconds(2));
  const auto is_text = [](const Octets& frame) { return frame.size() == kTcp + 20 + 100; };
  EXPECT_TRUE(std::any_of(device_.sent.begin(), device_.sent.end(), is_text));
  EXPECT_EQ(error(s), Errno{});
  s.put();
}

// fault-tx-stall. What waits for the device is given up before it is sent again:
// no segment ever waits twice. The program's buffer fills and says so; nothing is lost to it.
TEST_F(DeviceLoss, a_stalled_device_gets_no_segment_twice_and_the_writer_is_told) {
  Socket& s = connected();
  for (int seconds = 1; seconds <= 5; ++seconds) {
    device_.sent.clear();
    device_.refuses = true;
    EXPECT_TRUE(write(s, 100).ok());
    pass(Duration::seconds(seconds));
    EXPECT_TRUE(device_.sent.empty());
    device_.refuses = false;
    poll();
    EXPECT_LE(keep_texts(), 1u) << seconds;
    for (int tries = 0; tries < 100 && keep_texts() == 0; ++tries) {
      device_.arrive(arp_request());  // the peer, whom we have had to doubt (MUST-20)
      pass(Duration::ms(500));
    }
    ASSERT_GE(keep_texts(), 1u) << seconds;
    device_.arrive(answer(kAck, 2));
    poll();
  }
  device_.refuses = true;
  std::size_t written = 0;
  Result<std::size_t> last = std::size_t{0};
  while ((last = write(s, 1000)).ok()) written += *last;
  EXPECT_EQ(last.error(), Errno::again);
  EXPECT_GT(written, 1000u);
  EXPECT_EQ(error(s), Errno{});
  device_.refuses = false;
  s.put();
}

TEST_F(DeviceLoss, a_link_that_is_up_is_looked_at_once_a_second_at_most) {
  introduce_peer();
  device_.looks = 0;
  for (int i = 0; i < 30; ++i) {
    clock_.advance(Duration::ms(100));
    device_.next = clock_.now();
    poll();
  }
  EXPECT_GE(device_.looks, 2u);
  EXPECT_LE(device_.looks, 4u);
}

TEST_F(DeviceLoss, nobody_polls_for_a_device_that_refuses_for_want_of_a_link) {
  introduce_peer();
  Socket& s = socket(SOCK_DGRAM);
  pass(Duration::seconds(10));  // our announcements are over
  clock_.advance(Duration::seconds(1));
  device_.refuses = true;
  device_.has_link = false;
  EXPECT_TRUE(send_to(s, kPeer).ok());
  EXPECT_GT(stack_->next_timeout(), clock_.now());
  s.put();
}

TEST_F(DeviceLoss, a_connection_over_a_device_that_is_taken_away_ends_with_ENETDOWN) {
  Socket& s = connected();
  take_device_away();
  EXPECT_TRUE(device_.has_let_go);
  EXPECT_EQ(stack_->counters().devices_lost, 1u);
  EXPECT_TRUE(events(s).has(kErr));
  EXPECT_TRUE(events(s).has(kHup));
  std::byte octet;
  for (int i = 0; i < 2; ++i) {  // every call, not the first alone
    EXPECT_EQ(read(s, {&octet, 1}).error(), Errno::network_down);
    EXPECT_EQ(write(s, 1).error(), Errno::network_down);
    EXPECT_EQ(error(s), Errno::network_down);
  }
  s.put();
}

TEST_F(DeviceLoss, what_had_arrived_before_can_be_read) {
  Socket& s = connected();
  device_.arrive(answer(kAck, 2, octets({'h', 'i'})));
  poll();
  take_device_away();
  Octets got(8);
  const Result<std::size_t> n = read(s, got);
  ASSERT_TRUE(n.ok());
  EXPECT_EQ(*n, 2u);
  EXPECT_EQ(read(s, got).error(), Errno::network_down);
  s.put();
}

TEST_F(DeviceLoss, a_connect_under_way_and_new_calls_fail) {
  introduce_peer();
  Socket& connecting = socket();
  EXPECT_EQ(connect(connecting, kPeer), Errno::in_progress);
  take_device_away();
  EXPECT_EQ(connect(connecting, kPeer), Errno::network_down);
  Socket& fresh = socket();
  EXPECT_EQ(connect(fresh, kPeer), Errno::network_down);
  Socket& datagrams = socket(SOCK_DGRAM);
  EXPECT_EQ(send_to(datagrams, kPeer).error(), Errno::network_down);
  connecting.put();
  fresh.put();
  datagrams.put();
}

TEST_F(DeviceLoss, a_listener_and_a_datagram_socket_hear_of_it_once) {
  Socket& listener = socket();
  Socket& datagrams = socket(SOCK_DGRAM);
  bind(listener, IpAddress::any_v4(), 80);
  bind(datagrams, IpAddress::any_v4(), 81);
  EXPECT_TRUE(inside(listener, [](Socket& a, Instant now) { return a.listen(4, now).ok(); }));
  take_device_away();
  const auto accept = [](Socket& a, Instant now) { return a.accept(now).error(); };
  std::byte octet;
  for (Socket* s : {&listener, &datagrams}) {
    EXPECT_TRUE(events(*s).has(kErr));
    EXPECT_TRUE(events(*s).has(kHup));
  }
  EXPECT_EQ(inside(listener, accept), Errno::network_down);
  EXPECT_EQ(inside(listener, accept), Errno::again);
  EXPECT_EQ(read(datagrams, {&octet, 1}).error(), Errno::network_down);
  EXPECT_EQ(read(datagrams, {&octet, 1}).error(), Errno::again);
  for (Socket* s : {&listener, &datagrams}) {
    EXPECT_FALSE(events(*s).has(kErr));
    EXPECT_FALSE(events(*s).has(kHup));
    s->put();
  }
}

TEST_F(DeviceLoss, loopback_lives_on) {
  const IpAddress local = IpAddress::v4(127, 0, 0, 1);
  Socket& listener = socket();
  Socket& before = socket();
  bind(listener, local, 80);
  EXPECT_TRUE(inside(listener, [](Socket& a, Instant now) { return a.listen(4, now).ok(); }));
  EXPECT_EQ(connect(before, local), Errno::in_progress);
  take_device_away();
  Socket& after = socket();
  EXPECT_EQ(connect(after, local), Errno::in_progress);
  for (Socket* s : {&before, &after}) {
    EXPECT_FALSE(events(*s).has(kErr));
    EXPECT_TRUE(write(*s, 5).ok());
  }
  EXPECT_TRUE(events(listener).has(kIn));
  EXPECT_FALSE(events(listener).has(kErr));
  before.put();
  after.put();
  listener.put();
}

TEST_F(DeviceLoss, with_another_device_only_its_own_users_are_told) {
  ScriptedDevice second(test_pool());
  PortConfig port;
  const IpAddress ours = IpAddress::v4(198, 19, 0, 2), theirs = IpAddress::v4(198, 19, 0, 1);
  port.addresses = {{ours, 24}};
  stack_->add_interface(second, port);
  Socket& connection = connected();
  Socket& anywhere = socket(SOCK_DGRAM);
  Socket& there = socket(SOCK_DGRAM);
  Socket& here = socket(SOCK_DGRAM);
  bind(anywhere, IpAddress::any_v4(), 90);
  bind(there, ours, 91);
  bind(here, kUs, 92);
  second.is_taken_away = true;
  poll();
  EXPECT_EQ(error(connection), Errno{});
  EXPECT_EQ(error(anywhere), Errno{});
  EXPECT_EQ(error(here), Errno{});
  EXPECT_EQ(error(there), Errno::network_down);
  EXPECT_EQ(send_to(anywhere, theirs).error(), Errno::network_down);
  EXPECT_TRUE(send_to(anywhere, kPeer).ok());
  for (Socket* s : {&connection, &anywhere, &there, &here}) s->put();
  stack_.reset();  // before the second device
}

TEST_F(DeviceLoss, a_device_that_is_gone_is_not_polled_for) {
  introduce_peer();
  Sleeper sleeper;
  const auto sleeps_until = [&] {
    Inside inside(*stack_);
    stack_->arm(sleeper);
    const Instant until = stack_->announce_sleep(sleeper, Duration::us(10));
    stack_->disarm(sleeper);
    return until;
  };
  pass(Duration::seconds(10));  // our announcements are over
  EXPECT_TRUE(sleeps_until().is_never());
  device_.is_doubtful = true;
  EXPECT_EQ(sleeps_until(), clock_.now() + Duration::ms(20));
  device_.interrupt_fd = -1;
  EXPECT_EQ(sleeps_until(), clock_.now() + Duration::us(10));
  take_device_away();
  EXPECT_TRUE(sleeps_until().is_never());
}

TEST_F(DeviceLoss, a_tag_is_the_devices_or_ours_and_never_both) {
  ScriptedDevice tagging(test_pool());
  tagging.caps().tx_vlan_insert = true;
  PortConfig port;
  port.addresses = {{IpAddress::v4(198, 19, 0, 2), 24}};
  port.vlan = 7;
  stack_->add_interface(tagging, port);
  ScriptedDevice plain(test_pool());
  port.addresses = {{IpAddress::v4(198, 19, 1, 2), 24}};
  stack_->add_interface(plain, port);
  poll();  // both announce their address
  ASSERT_FALSE(tagging.sent.empty());
  ASSERT_FALSE(plain.sent.empty());
  EXPECT_EQ(at<be16>(tagging.sent[0], 12), 0x0806);
  EXPECT_EQ(tagging.tags[0], 7);
  EXPECT_EQ(at<be16>(plain.sent[0], 12), 0x8100);
  EXPECT_EQ(at<be16>(plain.sent[0], 14), 7);
  EXPECT_EQ(plain.tags[0], -1);
  stack_.reset();
}

}  // namespace
}  // namespace pollux
