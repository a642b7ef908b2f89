// ingress_icmp_test.cc - raw ICMP into a whole Stack: echoes, errors believed, errors sent.
#include "stack/core/stack.h"
#include "tests/unit/core/raw_frames.h"

namespace pollux {
namespace {

using namespace testing_support;  // NOLINT: the builders are this file's vocabulary

class IngressIcmpTest : public RawTest {
 protected:
  // The payloads of the fragments in `frames`, put together by their offsets.
  static Octets whole_of(const std::vector<Octets>& frames) {
    Octets whole;
    for (const Octets& frame : frames) {
      const auto& header = at<wire::Ipv4Header>(frame, kIpAt);
      const std::size_t offset = (header.fragment & wire::kIpv4OffsetMask) * 8u;
      const std::size_t size = header.total_length - 20u;
      whole.resize(std::max(whole.size(), offset + size));
      std::copy_n(frame.begin() + kTransportAt, size, whole.begin() + static_cast<long>(offset));
    }
    return whole;
  }
  std::vector<Octets> answers_to_pieces(const Octets& message) {
    device_.sent.clear();
    constexpr std::size_t kMost = 1480;
    for (std::size_t begin = 0; begin < message.size(); begin += kMost) {
      const std::size_t end = std::min(message.size(), begin + kMost);
      const auto more = static_cast<std::uint16_t>(end < message.size() ? 0x2000 : 0);
      const Raw raw{.protocol = wire::kProtocolIcmp,
                    .fragment = static_cast<std::uint16_t>(more | begin / 8)};
      device_.arrive(raw_frame(raw, Octets(message.begin() + static_cast<long>(begin),
                                           message.begin() + static_cast<long>(end))));
    }
    for (int i = 0; i < 4; ++i) poll();
    return std::exchange(device_.sent, {});
  }
  // An error about a datagram of ours: from `local` to port 9 of the peer.
  static Octets error_about_ours(std::uint8_t type, std::uint8_t code, std::uint16_t local,
                                 std::uint16_t remote_port = 9) {
    const Octets sent = raw_frame({.source = kUs, .destination = kPeer}, [&] {
      Octets udp;
      for (const std::uint16_t field : {local, remote_port, std::uint16_t{8}, std::uint16_t{0}}) {
        append(udp, be16(field));
      }
      return udp;
    }());
    const Octets quote(sent.begin() + kIpAt, sent.end());
    return icmp_frame({}, icmp_octets(type, code, 0, quote));
  }
  Errno pending_error(Socket& socket) {
    Inside inside(*stack_);
    return socket.take_error();
  }
};

// 1122-3.2.2.6: the same data in a datagram the other way round, of every size that IPv4 has, odd
// ones too; in pieces where it must.
TEST_F(IngressIcmpTest, echoes_of_every_size_come_back) {
  for (const std::size_t size : {0, 1, 2, 3, 55, 1471, 1472, 1473, 4001, 9001, 30001, 65507}) {
    const Octets data = counted(size);
    Octets reply = whole_of(answers_to_pieces(icmp_octets(8, 0, 0x4d2a0007, data)));
    ASSERT_EQ(reply.size(), 8 + size);
    EXPECT_EQ(reply, icmp_octets(0, 0, 0x4d2a0007, data)) << size;
  }
}

TEST_F(IngressIcmpTest, an_echo_reply_goes_where_the_request_came_from) {  // 1122-3.2.2.6
  const std::vector<Octets> reply = answers(device_, icmp_frame({}, icmp_octets(8, 0, 0, {})));
  ASSERT_EQ(reply.size(), 1u);
  const auto& header = at<wire::Ipv4Header>(reply[0], kIpAt);
  EXPECT_EQ(IpAddress::v4(header.source), kUs);
  EXPECT_EQ(IpAddress::v4(header.destination), kPeer);
}

// 1122-3.2.2.6: echoes to everybody and to a group are ignored.
TEST_F(IngressIcmpTest, broadcast_echoes_are_ignored_in_silence) {
  for (const IpAddress& to : {IpAddress::v4(255, 255, 255, 255), IpAddress::v4(198, 18, 0, 255),
                              IpAddress::v4(224, 0, 0, 1)}) {
    const Raw raw{.destination = to, .to_mac = kAllMac};
    EXPECT_TRUE(is_silent_drop(device_, icmp_frame(raw, icmp_octets(8, 0, 0, counted(4))),
                               Drop::not_for_us))
        << to.to_string();
  }
}

// 6918, 1122-3.2.2, 1122-redirect: types that a host does not know, or knows no longer, whatever
// they say: source quench, address mask, timestamp, information, traceroute, ...
TEST_F(IngressIcmpTest, other_types_are_dropped_in_silence) {
  for (unsigned type = 0; type < 256; ++type) {
    if (type == 0 || type == 3 || type == 8 || type == 11 || type == 12) continue;
    const Octets message = icmp_octets(static_cast<std::uint8_t>(type), 0, 0, counted(28));
    EXPECT_TRUE(is_silent_drop(device_, icmp_frame({}, message), Drop::bad_icmp)) << type;
  }
}

// 1122-redirect: switched off for good. The gateway's own word moves no route.
TEST_F(IngressIcmpTest, a_redirect_changes_no_way) {
  Socket& socket = udp_at(5000);
  const IpAddress far = IpAddress::v4(198, 19, 1, 1);
  ASSERT_TRUE(send_to(socket, far).ok());
  ASSERT_EQ(other_.sent.size(), 1u);
  const Octets sent = other_.sent[0];
  const Octets quote(sent.begin() + kIpAt, sent.begin() + kTransportAt + 8);
  const std::uint32_t better = IpAddress::v4(198, 19, 0, 7).v4_bits();
  for (std::uint8_t code = 0; code < 4; ++code) {
    const Octets redirect = icmp_frame({.source = kGateway, .destination = kUsOnB},
                                       icmp_octets(5, code, better, quote));
    EXPECT_TRUE(is_silent_drop(other_, redirect, Drop::bad_icmp));
  }
  other_.sent.clear();
  ASSERT_TRUE(send_to(socket, far).ok());
  ASSERT_EQ(other_.sent.size(), 1u) << "not a question for 198.19.0.7";
  EXPECT_TRUE(std::equal(sent.begin(), sent.begin() + 6, other_.sent[0].begin()));
  socket.put();
}

// 1122-3.2.2: no error about an error, about what went to many, about a fragment that is not the
// first, nor to what is no single host.
TEST_F(IngressIcmpTest, errors_are_sent_about_nothing_that_must_not_have_one) {
  EXPECT_TRUE(answers(device_, error_about_ours(3, 3, 4000)).empty());
  EXPECT_TRUE(answers(device_, icmp_frame({}, icmp_octets(3, 99, 0, counted(40)))).empty());
  for (const IpAddress& to : {IpAddress::v4(255, 255, 255, 255), IpAddress::v4(198, 18, 0, 255),
                              IpAddress::v4(224, 0, 0, 1)}) {
    const Raw raw{.destination = to, .to_mac = kAllMac};
    EXPECT_TRUE(answers(device_, udp_frame(raw, 4000, counted(3))).empty());
    const Raw unknown{.destination = to, .protocol = 99, .to_mac = kAllMac};
    EXPECT_TRUE(answers(device_, raw_frame(unknown, counted(16))).empty());
  }
  const Raw no_host{.source = IpAddress::v4(240, 0, 0, 1)};
  EXPECT_TRUE(answers(device_, udp_frame(no_host, 4000, counted(3))).empty());
  EXPECT_TRUE(answers(device_, raw_frame({.fragment = 2}, counted(16))).empty());
  pass(Duration::seconds(40));
  for (const Octets& frame : device_.sent) EXPECT_EQ(at<be16>(frame, 12), 0x0806) << "ARP at most";
  EXPECT_EQ(stack_->counters().icmp_out, 0u);
}

// icmp-demux, 8085-3.1/3.2 (RFC 8085 5.2), V12: an error is believed by the socket that sent what
// it quotes, and by nobody else.
TEST_F(IngressIcmpTest, only_the_sender_of_what_is_quoted_hears_of_an_error) {
  Socket& socket = udp_at(5000);
  {
    Inside inside(*stack_);
    ASSERT_TRUE(socket.connect({kPeer, 9}, inside.now()).ok());
  }
  answers(device_, error_about_ours(3, 3, 5001));
  answers(device_, error_about_ours(3, 3, 5000, 10));
  EXPECT_EQ(pending_error(socket), Errno{});
  answers(device_, error_about_ours(3, 3, 5000));
  EXPECT_EQ(pending_error(socket), Errno::connection_refused);  // 1122-4.1.3.3
  socket.put();
}

// 4884: an error whose length field says how long the quote is, with extensions behind it, sound or
// not, is read as one without.
TEST_F(IngressIcmpTest, extensions_of_errors_do_no_harm) {
  Socket& socket = udp_at(5000);
  {
    Inside inside(*stack_);
    ASSERT_TRUE(socket.connect({kPeer, 9}, inside.now()).ok());
  }
  const Octets plain = error_about_ours(3, 3, 5000);
  const Octets quote(plain.begin() + kTransportAt + 8, plain.end());
  Rng rng(7);
  for (unsigned length = 0; length < 256; ++length) {
    for (const std::size_t room : {0u, 100u, 128u, 132u, 140u, 500u}) {
      Octets body = quote;
      body.resize(std::max<std::size_t>(quote.size(), room), std::byte{0});
      const std::size_t behind = rng.below(40);
      if (rng.chance(0.5)) append(body, be32(0x20000000));  // version 2, no checksum
      for (std::size_t i = 0; i < behind; ++i) body.push_back(static_cast<std::byte>(rng.next()));
      const std::uint32_t rest = length << 16;
      EXPECT_TRUE(answers(device_, icmp_frame({}, icmp_octets(3, 3, rest, body))).empty());
      ASSERT_EQ(pending_error(socket), Errno::connection_refused) << length << " " << room;
    }
  }
  socket.put();
}

// icmp-demux, V12: every protocol in the quote, cut anywhere (CVE-2026-23398's class).
TEST_F(IngressIcmpTest, quotes_of_any_protocol_cut_anywhere_are_survived) {
  const Octets whole = error_about_ours(3, 4, 5000);
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    for (std::size_t size = 0; size <= 28; size += size < 20 ? 4 : 1) {
      Octets quote(whole.begin() + kTransportAt + 8, whole.end());
      quote[9] = static_cast<std::byte>(protocol);
      quote.resize(size);
      EXPECT_TRUE(answers(device_, icmp_frame({}, icmp_octets(3, 4, 1400, quote))).empty());
    }
  }
  EXPECT_EQ(answers(device_, icmp_frame({}, icmp_octets(8, 0, 0, {}))).size(), 1u) << "alive";
}

// icmp-rate, V12 (SAD DNS, CVE-2020-25705): an attacker probes ports in another's name, then one
// that is closed in its own: whether it gets an answer must not tell whether one of those was open.
TEST_F(IngressIcmpTest, spoofed_probes_of_ports_tell_nothing) {
  const IpAddress spoofed = IpAddress::v4(198, 18, 0, 9);
  Socket& socket = udp_at(5000);
  Rng rng(3);
  double heard[2] = {0, 0}, rounds[2] = {0, 0};
  for (int round = 0; round < 600; ++round) {
    introduce(device_, kPeer, kUs);
    introduce(device_, spoofed, kUs);
    const bool is_open = rng.chance(0.5);
    for (std::uint16_t i = 0; i < 10; ++i) {
      const auto port = static_cast<std::uint16_t>(is_open && i == 0 ? 5000 : 6000 + i);
      device_.arrive(udp_frame({.source = spoofed}, port, counted(1)));
    }
    device_.arrive(udp_frame({}, 7000, counted(1)));
    poll();
    rounds[is_open] += 1;
    for (const Octets& frame : device_.sent) {
      const bool is_ip = at<be16>(frame, 12) == 0x0800;
      heard[is_open] += is_ip && at<be32>(frame, kIpAt + 16) == kPeer.v4_bits();
    }
    while (read(socket)) continue;
    pass(Duration::seconds(3));
  }
  EXPECT_GT(heard[0] / rounds[0], 0.95);
  EXPECT_LT(std::abs(heard[0] / rounds[0] - heard[1] / rounds[1]), 0.02);
  socket.put();
}

}  // namespace
}  // namespace pollux
