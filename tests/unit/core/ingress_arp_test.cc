// ingress_arp_test.cc - raw ARP into a whole Stack: whom it answers, believes, asks and gives up.
#include <netinet/tcp.h>

#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

constexpr std::uint8_t kOtherMac[6] = {2, 0, 0, 0, 0, 9};
const IpAddress kStranger = IpAddress::v4(198, 18, 0, 77);

// An ARP message to everybody; what is left out is a right request of the peer's for our address.
struct RawArp {
  std::uint16_t hardware_type = 1;
  std::uint16_t protocol_type = 0x0800;
  std::uint8_t hardware_length = 6;
  std::uint8_t protocol_length = 4;
  std::uint16_t operation = 1;
  const std::uint8_t* sender_mac = kPeerMac;
  IpAddress sender = kPeer;
  IpAddress target = kUs;
};

Octets arp_frame(const RawArp& raw) {
  Octets frame = ethernet_frame(0x0806, kAllMac);
  wire::ArpPacket arp{};
  arp.hardware_type = raw.hardware_type;
  arp.protocol_type = raw.protocol_type;
  arp.hardware_length = raw.hardware_length;
  arp.protocol_length = raw.protocol_length;
  arp.operation = raw.operation;
  std::copy_n(raw.sender_mac, 6, arp.sender_mac);
  arp.sender_ip = raw.sender.v4_bits();
  arp.target_ip = raw.target.v4_bits();
  append(frame, arp);
  frame.resize(60, std::byte{0xee});  // as a wire pads it
  return frame;
}

class IngressArpTest : public RawTest {
 protected:
  // The ARP messages among the frames that left.
  std::vector<wire::ArpPacket> arps() {
    std::vector<wire::ArpPacket> found;
    for (const Octets& frame : device_.sent) {
      if (at<be16>(frame, 12) == 0x0806) found.push_back(at<wire::ArpPacket>(frame, 14));
    }
    return found;
  }
  bool asks(const Octets& frame, const IpAddress& target, const std::uint8_t* to) {
    if (at<be16>(frame, 12) != 0x0806) return false;
    const auto& arp = at<wire::ArpPacket>(frame, 14);
    return arp.operation == 1 && IpAddress::v4(arp.target_ip) == target &&
           std::memcmp(frame.data(), to, 6) == 0;
  }
  // Where a datagram to the address goes; nobody: it waits for an answer.
  std::optional<MacAddress> mac_for(const IpAddress& address) {
    Socket& socket = udp_socket();
    device_.sent.clear();
    EXPECT_TRUE(send_to(socket, address).ok());
    socket.put();
    for (const Octets& frame : device_.sent) {
      if (at<be16>(frame, 12) == 0x0800) return at<MacAddress>(frame, 0);
    }
    return std::nullopt;
  }
  void answer(const IpAddress& who) {
    device_.arrive(arp_frame({.operation = 2, .sender = who}));
    poll();
  }
  static MacAddress mac_of(const std::uint8_t* octets) {
    MacAddress mac;
    std::copy_n(octets, 6, mac.begin());
    return mac;
  }
};

// 826-rx: every field that must be right, wrong: no answer, nothing learned.
TEST_F(IngressArpTest, only_a_right_request_for_our_address_is_answered) {
  const RawArp from_stranger{.sender_mac = kOtherMac, .sender = kStranger};
  std::vector<RawArp> wrong(12, from_stranger);
  wrong[0].hardware_type = 0;
  wrong[1].hardware_type = 6;
  wrong[2].protocol_type = 0x0806;
  wrong[3].protocol_type = 0x86dd;
  wrong[4].hardware_length = 0;
  wrong[5].hardware_length = 255;
  wrong[6].protocol_length = 0;
  wrong[7].protocol_length = 16;
  wrong[8].operation = 0;
  wrong[9].operation = 3;   // RARP
  wrong[10].operation = 8;  // InARP
  wrong[11].operation = 0x0100;
  for (const RawArp& raw : wrong) {
    EXPECT_TRUE(is_silent_drop(device_, arp_frame(raw), Drop::bad_arp));
  }
  RawArp for_another = from_stranger;
  for_another.target = IpAddress::v4(198, 18, 0, 3);
  EXPECT_TRUE(answers(device_, arp_frame(for_another)).empty());
  for_another.target = kUsOnB;  // 1122-3.3.4: not of this interface
  EXPECT_TRUE(answers(device_, arp_frame(for_another)).empty());
  EXPECT_FALSE(mac_for(kStranger)) << "none of that was learned from";
  const std::vector<Octets> reply = answers(device_, arp_frame(from_stranger));
  ASSERT_FALSE(reply.empty());
  const auto& arp = at<wire::ArpPacket>(reply[0], 14);
  EXPECT_EQ(arp.operation, 2);
  EXPECT_EQ(IpAddress::v4(arp.sender_ip), kUs);
  EXPECT_EQ(IpAddress::v4(arp.target_ip), kStranger);
  EXPECT_EQ(at<MacAddress>(reply[0], 0), mac_of(kOtherMac));
  EXPECT_EQ(reply[0].size(), 42u) << "no padding of the request's";
  EXPECT_EQ(mac_for(kStranger), mac_of(kOtherMac));
}

// 826-rx: the merge: a known sender's new address counts, whatever the message is about; but see
// arp-sec in neighbours_test.cc for those that were confirmed lately.
TEST_F(IngressArpTest, a_known_neighbour_may_move) {
  EXPECT_EQ(mac_for(kPeer), mac_of(kPeerMac));
  answers(device_, arp_frame({.sender_mac = kOtherMac, .target = IpAddress::v4(198, 18, 0, 3)}));
  EXPECT_EQ(mac_for(kPeer), mac_of(kOtherMac));
}

// 1122-2.3.2.1: at most one request a second for a destination, however much there is to send;
// three in all. 1122-2.3.2.2: the first packet waits and leaves with the answer; where none comes,
// whoever sent is told EHOSTUNREACH.
TEST_F(IngressArpTest, who_does_not_answer_is_asked_once_a_second_and_given_up) {
  Socket& socket = udp_socket();
  const int on = 1;
  {
    Inside inside(*stack_);
    const auto octets = std::as_bytes(std::span(&on, 1));
    ASSERT_TRUE(socket.set_option(IPPROTO_IP, IP_RECVERR, octets, inside.now()).ok());
  }
  Errno heard{};
  for (int tenth = 0; tenth < 40 && heard == Errno{}; ++tenth) {
    const Result<std::size_t> sent = send_to(socket, kStranger);
    if (!sent) heard = sent.error();
    pass(Duration::ms(100));
  }
  EXPECT_EQ(heard, Errno::host_unreachable);
  const std::vector<wire::ArpPacket> asked = arps();
  ASSERT_GE(asked.size(), 3u);
  ASSERT_LE(asked.size(), 4u);
  EXPECT_EQ(stack_->drops(Drop::unresolved), 8u) << "the latest eight had waited";
  device_.sent.clear();
  ASSERT_TRUE(send_to(socket, kStranger).ok());
  pass(Duration::seconds(1));
  answer(kStranger);
  EXPECT_EQ(at<be16>(device_.sent.back(), 12), 0x0800) << "what waited has left";
  socket.put();
}

// 1122-2.3.2.2: a connect to nobody ends with EHOSTUNREACH, long before its own time is up.
TEST_F(IngressArpTest, a_connect_to_nobody_is_told_so) {
  Socket& socket = connecting_to(kStranger);
  for (int i = 0; i < 31; ++i) pass(Duration::ms(100));
  {
    Inside inside(*stack_);
    EXPECT_EQ(socket.take_error(), Errno::host_unreachable);
  }
  socket.put();
}

// MUST-20, MUST-22, SHLD-10, 1122-2.3.2.1: three retransmissions, here of a SYN, without an answer
// (R1) put the neighbour in doubt:
// it is asked at once, by unicast, though it had confirmed itself a moment ago.
TEST_F(IngressArpTest, retransmissions_put_the_neighbour_in_doubt) {
  Socket& socket = connecting_to(kStranger);
  answer(kStranger);  // reachable for 15 s at least
  device_.sent.clear();
  for (int ms = 0; ms < 6900; ms += 100) pass(Duration::ms(100));  // SYNs at 1 s and 3 s
  EXPECT_TRUE(arps().empty());
  for (int ms = 0; ms < 300; ms += 100) pass(Duration::ms(100));  // and at 7 s
  const auto is_poll = [&](const Octets& frame) { return asks(frame, kStranger, kPeerMac); };
  EXPECT_EQ(std::count_if(device_.sent.begin(), device_.sent.end(), is_poll), 1);
  answer(kStranger);
  EXPECT_EQ(mac_for(kStranger), mac_of(kPeerMac));
  socket.put();
}

// 1122-2.3.2.1: who acknowledges what it gets need not be asked whether it is there; who only gets
// datagrams is, by unicast.
TEST_F(IngressArpTest, progress_of_a_connection_keeps_its_neighbour_fresh) {
  Socket& stream = connecting_to(kPeer);
  std::size_t asked = 0;
  for (int i = 0; i < 60; ++i) {
    const Octets last = device_.sent.back();
    ASSERT_EQ(at<be16>(last, 12), 0x0800) << "asked instead";
    asked += arps().size();
    device_.sent.clear();
    wire::TcpHeader header{};
    header.source_port = 80;
    header.destination_port = at<be16>(last, kTransportAt);
    header.seq = i == 0 ? 1000 : 1001;
    const std::uint32_t text = i == 0 ? 1 : static_cast<std::uint32_t>(last.size() - 54);
    header.ack = at<be32>(last, kTransportAt + 4) + text;
    header.data_offset = 0x50;
    header.control = i == 0 ? 0x12 : 0x10;
    header.window = 0xffff;
    Octets segment;
    append(segment, header);
    device_.arrive(tcp_frame(segment));
    pass(Duration::seconds(2));
    asked += arps().size();
    device_.sent.clear();
    char octet = 'x';
    const iovec piece{&octet, 1};
    Inside inside(*stack_);
    ASSERT_TRUE(stream.send({{&piece, 1}, 1, 0, nullptr, {}}, inside.now()).ok()) << i;
  }
  EXPECT_EQ(asked, 0u);
  stream.put();
  Socket& datagrams = udp_socket();
  device_.sent.clear();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(send_to(datagrams, kPeer).ok());
    pass(Duration::seconds(2));
  }
  const auto is_poll = [&](const Octets& frame) { return asks(frame, kPeer, kPeerMac); };
  EXPECT_GE(std::count_if(device_.sent.begin(), device_.sent.end(), is_poll), 1);
  datagrams.put();
}

// 5227-2.1: our address is announced twice, and defended when another host uses it, at most once in
// 10 s.
// fault-duplicate-address.
TEST_F(IngressArpTest, an_address_in_use_elsewhere_is_defended_now_and_then) {
  std::size_t defences = 0;
  for (int second = 0; second < 60; ++second) {
    pass(Duration::seconds(1));
    device_.sent.clear();
    device_.arrive(arp_frame({.sender_mac = kOtherMac, .sender = kUs, .target = kStranger}));
    device_.arrive(arp_frame({.sender_mac = kOtherMac, .sender = kUs, .target = kUs}));
    poll();
    defences += arps().size();
  }
  EXPECT_EQ(stack_->counters().arp_conflicts, 120u);
  EXPECT_GE(defences, 5u);
  EXPECT_LE(defences, 6u);
  EXPECT_TRUE(answers(device_, icmp_frame({}, icmp_octets(8, 0, 1, {}))).size() == 1) << "goes on";
}

// 5227-2.1: three probes without a sender, then two announcements; the address is not answered for
// before those.
TEST_F(IngressArpTest, an_address_is_probed_before_it_is_used_where_that_is_wanted) {
  const IpAddress wanted = IpAddress::v4(198, 18, 7, 7);
  ScriptedDevice third(test_pool(), 2);
  PortConfig port;
  port.addresses = {{wanted, 24}};
  port.probe = true;
  stack_->add_interface(third, port);
  const Octets question = arp_frame({.sender = IpAddress::v4(198, 18, 7, 1), .target = wanted});
  std::vector<wire::ArpPacket> said;
  for (int tenth = 0; tenth < 100; ++tenth) {
    const bool is_ours = !stack_->first_not_owned();
    third.sent.clear();
    third.arrive(question);
    pass(Duration::ms(100));
    for (const Octets& frame : third.sent) {
      const auto& arp = at<wire::ArpPacket>(frame, 14);
      if (arp.operation == 1) {
        said.push_back(arp);
      } else {
        EXPECT_TRUE(is_ours) << "answered too early";
      }
    }
  }
  ASSERT_EQ(said.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(IpAddress::v4(said[i].sender_ip), i < 3 ? IpAddress::any_v4() : wanted);
    EXPECT_EQ(IpAddress::v4(said[i].target_ip), wanted);
  }
  EXPECT_FALSE(stack_->first_not_owned());
  stack_.reset();  // before the device
}

// 5227-2.1: an address that another host answers for is not used.
TEST_F(IngressArpTest, an_address_that_another_answers_for_is_not_ours) {
  const IpAddress wanted = IpAddress::v4(198, 18, 7, 7);
  ScriptedDevice third(test_pool(), 2);
  PortConfig port;
  port.addresses = {{wanted, 24}};
  port.probe = true;
  stack_->add_interface(third, port);
  pass(Duration::ms(1500));
  third.arrive(arp_frame(
      {.operation = 2, .sender_mac = kOtherMac, .sender = wanted, .target = IpAddress::any_v4()}));
  for (int second = 0; second < 50; ++second) pass(Duration::seconds(1));
  EXPECT_EQ(stack_->first_not_owned(), wanted);
  EXPECT_EQ(stack_->counters().arp_conflicts, 1u);
  stack_.reset();
}

// arp-sec, V22: of frames whose own source is a group, and of senders that nobody has.
TEST_F(IngressArpTest, impossible_senders_are_not_believed) {
  constexpr std::uint8_t kZeroMac[6] = {0, 0, 0, 0, 0, 0};
  for (const std::uint8_t* mac : {kAllMac, kGroupMac, kZeroMac, kOurMac}) {
    const RawArp raw{.sender_mac = mac, .sender = kStranger};
    EXPECT_TRUE(is_silent_drop(device_, arp_frame(raw), Drop::bad_arp));
  }
  EXPECT_FALSE(mac_for(kStranger));
  answers(device_, arp_frame({.sender_mac = kOtherMac, .sender = IpAddress::any_v4()}));
  answers(device_,
          arp_frame(
              {.operation = 2, .sender_mac = kOtherMac, .sender = IpAddress::v4(198, 18, 0, 78)}));
  EXPECT_FALSE(mac_for(IpAddress::v4(198, 18, 0, 78))) << "an answer that nobody asked for";
}

}  // namespace
}  // namespace pollux
