// icmp_test.cc - echoes, errors believed and refused, errors sent and withheld.
#include "stack/ip/icmp.h"

#include "stack/ip/transport_checksum.h"
#include "tests/unit/ip/ip_test_support.h"

namespace pollux::icmp {
namespace {

using namespace test;  // NOLINT: the builders are this file's vocabulary

Octets icmp_octets(std::uint8_t type, std::uint8_t code, std::uint16_t id, std::uint16_t sequence,
                   const Octets& body) {
  wire::IcmpHeader header{};
  header.type = type;
  header.code = code;
  header.checksum = 0;
  header.id = id;
  header.sequence = sequence;
  header.checksum = wire::checksum(bytes_of(octets_of(header) + body));
  return octets_of(header) + body;
}

// A TCP segment of ours, as much as is quoted.
Octets our_segment() {
  return ip_packet({.source = kUs, .destination = kPeer, .protocol = 6, .total_length = 40},
                   {0x1f, 0x90, 0xc3, 0x50, 0xde, 0xad, 0xbe, 0xef});
}

class Icmp : public PacketTest {
 protected:
  Accepted<Arrived> take(const Octets& octets) {
    Packet packet = packet_of(octets);
    return decode(info, packet, routes);
  }
  Accepted<Arrived> take_error(std::uint8_t type, std::uint8_t code, const Octets& quote,
                               std::uint16_t mtu = 0) {
    return take(icmp_octets(type, code, 0, mtu, quote));
  }
  Routes routes = two_interfaces();
  IpInfo info{.source = kPeer, .destination = kUs, .protocol = 1, .interface = kA};
};

TEST_F(Icmp, echo_request_is_turned_around_in_place) {  // 1122-3.2.2.6
  for (const std::size_t size : {0, 1, 2, 55, 56, 1471, 1472, 9001, 65507}) {
    Packet packet = packet_of(icmp_octets(kEchoRequest, 0, 77, 3, pattern(size)));
    const auto arrived = decode(info, packet, routes);
    ASSERT_TRUE(arrived) << size;
    EXPECT_EQ(arrived->kind, Kind::echo_request);
    EXPECT_EQ(arrived->id, 77);
    EXPECT_EQ(arrived->sequence, 3);
    make_echo_reply(packet);
    EXPECT_EQ(octets_in(packet), icmp_octets(kEchoReply, 0, 77, 3, pattern(size)));
  }
}

// Of zeros alone the reply's sum is 0 and its checksum 0xffff; RFC 1624's update says 0.
TEST_F(Icmp, a_reply_of_zeros_has_a_checksum_too) {
  for (const std::size_t size : {0u, 1u, 8u}) {
    Packet packet = packet_of(icmp_octets(kEchoRequest, 0, 0, 0, Octets(size)));
    make_echo_reply(packet);
    EXPECT_EQ(octets_in(packet), icmp_octets(kEchoReply, 0, 0, 0, Octets(size)));
  }
}

TEST_F(Icmp, echo_reply_is_recognised) {
  const auto arrived = take(icmp_octets(kEchoReply, 0, 5, 6, pattern(8)));
  ASSERT_TRUE(arrived);
  EXPECT_EQ(arrived->kind, Kind::echo_reply);
  EXPECT_EQ(arrived->id, 5);
}

TEST_F(Icmp, ping_sockets_id_and_checksum) {
  Octets octets = icmp_octets(kEchoRequest, 0, 1, 2, pattern(33));
  octets[2] = octets[3] = 0xaa;
  Packet packet = packet_of(octets, {11});
  finish_echo_request(packet, 4242);
  EXPECT_EQ(octets_in(packet), icmp_octets(kEchoRequest, 0, 4242, 2, pattern(33)));
}

TEST_F(Icmp, wrong_checksum_and_length) {
  const Octets right = icmp_octets(kEchoRequest, 0, 1, 2, pattern(9));
  for (std::size_t bit = 0; bit < right.size() * 8; ++bit) {
    Octets octets = right;
    octets[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    EXPECT_EQ(take(octets).error(), Drop::bad_checksum);
  }
  for (std::size_t size = 0; size < 8; ++size) {
    const Octets cut(right.begin(), right.begin() + static_cast<long>(size));
    EXPECT_EQ(take(cut).error(), Drop::too_short);
  }
}

TEST_F(Icmp, broadcast_echo_is_ignored) {
  info.is_broadcast = true;
  EXPECT_EQ(take(icmp_octets(kEchoRequest, 0, 1, 2, {})).error(), Drop::not_for_us);
}

TEST_F(Icmp, types_that_a_host_ignores) {  // 6918, 1122-redirect, MUST-55: source quench, 5927-6.2
  for (unsigned type = 0; type < 256; ++type) {
    const bool is_known = type == 0 || type == 8 || type == 3 || type == 11 || type == 12;
    const auto octets = icmp_octets(static_cast<std::uint8_t>(type), 0, 0, 0, our_segment());
    EXPECT_EQ(take(octets).ok(), is_known) << type;
  }
}

TEST_F(Icmp, error_names_the_connection) {  // MUST-54, 792-quote
  const auto arrived = take_error(kUnreachable, kPortUnreachable, our_segment());
  ASSERT_TRUE(arrived);
  ASSERT_EQ(arrived->kind, Kind::error);
  const Error& error = arrived->error;
  EXPECT_EQ(error.tuple, (FourTuple{{kUs, 8080}, {kPeer, 50000}}));
  EXPECT_EQ(error.protocol, 6);
  EXPECT_EQ(error.seq, 0xdeadbeefu);
  EXPECT_EQ(error.reporter, kPeer);
  EXPECT_EQ(error.quoted_length, 40);
  EXPECT_EQ(error.error, Errno::connection_refused);
  EXPECT_TRUE(error.is_hard);
  EXPECT_FALSE(error.is_too_big);
}

TEST_F(Icmp, errors_mean_what_linux_says) {
  struct Case {
    std::uint8_t type, code;
    int error;
    bool is_hard;
  };
  const Case cases[] = {
      {3, 0, ENETUNREACH, false},   {3, 1, EHOSTUNREACH, false}, {3, 2, ENOPROTOOPT, true},
      {3, 3, ECONNREFUSED, true},   {3, 4, EMSGSIZE, false},     {3, 5, EOPNOTSUPP, false},
      {3, 6, ENETUNREACH, true},    {3, 7, EHOSTDOWN, true},     {3, 8, ENONET, true},
      {3, 9, ENETUNREACH, true},    {3, 10, EHOSTUNREACH, true}, {3, 11, ENETUNREACH, false},
      {3, 12, EHOSTUNREACH, false}, {3, 13, EHOSTUNREACH, true}, {3, 15, EHOSTUNREACH, true},
      {11, 0, EHOSTUNREACH, false}, {12, 0, EPROTO, true}};
  for (const Case& c : cases) {
    const auto arrived = take_error(c.type, c.code, our_segment());
    ASSERT_TRUE(arrived);
    EXPECT_EQ(static_cast<int>(arrived->error.error), c.error) << int{c.type} << "/" << int{c.code};
    EXPECT_EQ(arrived->error.is_hard, c.is_hard) << int{c.type} << "/" << int{c.code};
  }
  EXPECT_EQ(take_error(3, 16, our_segment()).error(), Drop::bad_icmp);
}

TEST_F(Icmp, fragmentation_needed_carries_the_mtu) {  // 1191-3b: an old router leaves it 0
  const Octets ports{0x1f, 0x90, 0, 80, 0, 0, 0, 1};
  const auto about = [&](int quoted_length, std::uint16_t mtu) {
    const Header ours{
        .source = kUs, .destination = kPeer, .protocol = 6, .total_length = quoted_length};
    return take_error(kUnreachable, kFragmentationNeeded, ip_packet(ours, ports), mtu);
  };
  struct Case {
    int quoted_length;
    std::uint16_t mtu, means;
  };
  for (const Case& c : {Case{1500, 1400, 1400}, {1500, 0, 1492}, {1492, 0, 1006}, {1006, 0, 508}}) {
    const auto arrived = about(c.quoted_length, c.mtu);
    ASSERT_TRUE(arrived);
    EXPECT_TRUE(arrived->error.is_too_big);
    EXPECT_EQ(arrived->error.mtu, c.mtu);
    EXPECT_EQ(arrived->error.next_hop_mtu(), c.means);
  }
  // RFC 5927 7.2: what the router has room for cannot have been too big for it.
  EXPECT_EQ(about(1400, 1400).error(), Drop::bad_icmp);
  EXPECT_TRUE(about(1401, 1400));
}

TEST_F(Icmp, quotes_of_udp_and_echo) {
  const auto udp = take_error(
      3, 3, ip_packet({.source = kUs, .destination = kPeer}, {0x30, 0x39, 0, 53, 0, 8, 0, 0}));
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->error.tuple, (FourTuple{{kUs, 12345}, {kPeer, 53}}));
  const auto echo = take_error(11, 0,
                               ip_packet({.source = kUs, .destination = kPeer, .protocol = 1},
                                         icmp_octets(kEchoRequest, 0, 99, 1, {})));
  ASSERT_TRUE(echo);
  EXPECT_EQ(echo->error.tuple.local.port, 99);
}

TEST_F(Icmp, quotes_that_cannot_be_ours) {  // icmp-demux, V12
  const Octets ports{0, 1, 0, 2, 0, 8, 0, 0};
  const Header ours{.source = kUs, .destination = kPeer};
  const auto quote = [&](Header h) { return take_error(3, 3, ip_packet(h, ports)); };
  ASSERT_TRUE(quote(ours));
  for (const IpAddress& source : {kPeer, IpAddress::v4(203, 0, 113, 1), IpAddress::any_v4()}) {
    Header h = ours;
    h.source = source;
    EXPECT_FALSE(quote(h)) << source.to_string();
  }
  for (const IpAddress& to : {IpAddress::v4(224, 0, 0, 1), IpAddress::v4(198, 18, 0, 255)}) {
    Header h = ours;
    h.destination = to;
    EXPECT_FALSE(quote(h)) << to.to_string();
  }
  Header h = ours;
  h.fragment = 1;
  EXPECT_FALSE(quote(h));
  h = ours;
  h.version_ihl = 0x65;
  EXPECT_FALSE(quote(h));
  h.version_ihl = 0x44;
  EXPECT_FALSE(quote(h));
  h.version_ihl = 0x4f;  // the quote is shorter than its header
  EXPECT_FALSE(quote(h));
  h = ours;
  h.total_length = 27;
  EXPECT_FALSE(quote(h));
}

TEST_F(Icmp, quotes_cut_at_every_length) {
  const Octets quote = our_segment();
  for (std::size_t size = 0; size < quote.size(); ++size) {
    const Octets cut(quote.begin(), quote.begin() + static_cast<long>(size));
    EXPECT_FALSE(take_error(3, 3, cut)) << size;
  }
  EXPECT_TRUE(take_error(3, 3, quote));
}

TEST_F(Icmp, every_inner_protocol_is_survived) {  // V12: CVE-2026-23398's class
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    const Header h{
        .source = kUs, .destination = kPeer, .protocol = static_cast<std::uint8_t>(protocol)};
    const Octets quote = ip_packet(h, icmp_octets(kEchoRequest, 0, 1, 1, {}));
    const bool is_ours = protocol == 1 || protocol == 6 || protocol == 17;
    EXPECT_EQ(take_error(3, 4, quote, 20).ok(), is_ours) << protocol;
  }
  const Octets reply = ip_packet({.source = kUs, .destination = kPeer, .protocol = 1},
                                 icmp_octets(kEchoReply, 0, 1, 1, {}));
  EXPECT_FALSE(take_error(3, 3, reply)) << "no error about what was an answer";
}

TEST_F(Icmp, quote_in_pieces_and_with_options) {
  const Octets quote = ip_packet(
      {.source = kUs, .destination = kPeer, .protocol = 6, .options = Octets(40, 1)}, pattern(8));
  const Octets octets = icmp_octets(3, 1, 0, 0, quote);
  for (std::size_t cut = 1; cut < octets.size(); cut += 5) {
    Packet packet = packet_of(octets, {cut});
    EXPECT_TRUE(decode(info, packet, routes)) << cut;
  }
}

TEST_F(Icmp, error_about_a_packet_of_ours) {
  const auto error = error_about(packet_of(our_segment()), Errno::host_unreachable);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->tuple, (FourTuple{{kUs, 8080}, {kPeer, 50000}}));
  EXPECT_EQ(error->error, Errno::host_unreachable);
  EXPECT_EQ(error->code, kHostUnreachable);
  EXPECT_FALSE(error_about(packet_of(pattern(10)), Errno::host_unreachable));
}

// --- errors that we send

TEST_F(Icmp, made_error_quotes_the_packet) {  // 792-quote
  for (const std::size_t size : {8, 100, 520, 521, 1400}) {
    const Octets original = ip_packet({}, pattern(size));
    auto arrived = arrive(original);
    arrived.packet.pull(8);
    const ErrorToSend what{.pulled = 8};
    ASSERT_TRUE(may_send_error(arrived.info, arrived.packet, what));
    auto error = make_error(test_pool(), arrived.info, arrived.packet, what);
    ASSERT_TRUE(error);
    EXPECT_LE(error->size(), 576u - 20);
    Octets quote = original;
    quote.resize(std::min<std::size_t>(quote.size(), 548));
    EXPECT_EQ(octets_in(*error), icmp_octets(3, 3, 0, 0, quote));
  }
}

TEST_F(Icmp, made_error_with_options_and_in_segments) {
  const Octets original = ip_packet({.options = {148, 4, 0, 0}}, pattern(900));
  auto arrived = ipv4::accept(packet_of(original, {100, 300}), {routes, kA, false});
  ASSERT_TRUE(arrived);
  const ErrorToSend what{.type = kTimeExceeded, .code = kReassemblyTimeExceeded};
  auto error = make_error(test_pool(), arrived->info, arrived->packet, what);
  ASSERT_TRUE(error);
  Octets quote = original;
  quote.resize(548);
  EXPECT_EQ(octets_in(*error), icmp_octets(11, 1, 0, 0, quote));
}

TEST_F(Icmp, no_error_where_none_may_be_sent) {  // 1122-3.2.2
  const auto may = [&](const IpInfo& of, const Octets& payload) {
    return may_send_error(of, packet_of(payload), {});
  };
  IpInfo of{.source = kPeer, .destination = kUs, .protocol = 17, .interface = kA};
  EXPECT_TRUE(may(of, pattern(8)));
  for (const IpAddress& source : {IpAddress::any_v4(), IpAddress::v4(0, 0, 0, 9),
                                  IpAddress::v4(127, 0, 0, 1), IpAddress::v4(224, 0, 0, 1),
                                  IpAddress::v4(240, 0, 0, 1), IpAddress::v4(255, 255, 255, 255)}) {
    IpInfo from = of;
    from.source = source;
    EXPECT_FALSE(may(from, pattern(8))) << source.to_string();
  }
  IpInfo broadcast = of;
  broadcast.is_broadcast = true;
  EXPECT_FALSE(may(broadcast, pattern(8)));
  of.protocol = 1;
  for (unsigned type = 0; type < 256; ++type) {
    const auto octets = icmp_octets(static_cast<std::uint8_t>(type), 0, 0, 0, {});
    EXPECT_EQ(may(of, octets), type == 0 || type == 8) << type;
  }
  EXPECT_FALSE(may(of, {}));
}

}  // namespace
}  // namespace pollux::icmp
