// tcp_test.cc - packets to segments and back: round trips, offloads, everything malformed.
#include "stack/tcp/tcp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::bytes_of;
using testing_support::Frame;
using testing_support::PoolEndsFull;
using testing_support::TcpHost;
using testing_support::TcpHosts;
using testing_support::test_pool;

const IpAddress kHere = IpAddress::v4(198, 18, 0, 2);
const IpAddress kThere = IpAddress::v4(198, 18, 0, 1);
const FourTuple kTuple{.local = {kHere, 80}, .remote = {kThere, 40000}};

class TcpTest : public PoolEndsFull {
 protected:
  // As it would arrive there, so seen from there.
  static Carrier carrier() { return {.source = kHere, .destination = kThere}; }
  static FourTuple reversed() { return {.local = kTuple.remote, .remote = kTuple.local}; }

  Packet encode(const Segment& seg, const TxContext& context = {}) {
    Reply reply{.tuple = kTuple, .segment = copy_of(seg)};
    return host_.tcp.encode(reply, context).packet;
  }
  static Segment copy_of(const Segment& seg) {
    Segment copy;
    copy.seq = seg.seq;
    copy.ack = seg.ack;
    copy.wnd = seg.wnd;
    copy.up = seg.up;
    copy.ctl = seg.ctl;
    copy.options = seg.options;
    return copy;
  }
  Drop drop_of(Packet packet) {
    const auto arrival = host_.tcp.decode(carrier(), std::move(packet));
    EXPECT_FALSE(arrival.ok());
    return arrival ? Drop::count : arrival.error();
  }
  // A packet of these octets, cut into segments of `piece` octets.
  static Packet packet_of(ConstBytes octets, std::size_t piece = 4096) {
    Packet whole;
    while (!octets.empty() || !whole) {
      Packet part = test_pool().allocate();
      const std::size_t n = std::min(piece, octets.size());
      std::memcpy(part.put(static_cast<std::uint16_t>(n)), octets.data(), n);
      octets = octets.subspan(n);
      if (whole) {
        PacketPool::chain(whole, std::move(part));
      } else {
        whole = std::move(part);
      }
    }
    return whole;
  }
  static std::vector<std::byte> octets_of(const Packet& packet) {
    std::vector<std::byte> octets(packet.size());
    packet.copy_out(0, octets);
    return octets;
  }
  // Header (given length field), `text_length` octets, right checksum.
  static std::vector<std::byte> raw(unsigned header_words, std::size_t size) {
    std::vector<std::byte> octets(size);
    auto* header = reinterpret_cast<wire::TcpHeader*>(octets.data());
    header->source_port = 80;
    header->destination_port = 40000;
    header->data_offset = static_cast<std::uint8_t>(header_words << 4);
    header->control = ACK;
    set_checksum(octets);
    return octets;
  }
  static void set_checksum(std::vector<std::byte>& octets) {
    auto* header = reinterpret_cast<wire::TcpHeader*>(octets.data());
    header->checksum = 0;
    wire::Sum sum(wire::pseudo_header_sum({.source = kHere,
                                           .destination = kThere,
                                           .protocol = 6,
                                           .length = static_cast<std::uint32_t>(octets.size())}));
    sum.add(octets);
    header->checksum = sum.checksum();
  }

  TcpHost host_{kHere, TcpConfig{}};
};

Segment random_segment(Rng& rng) {
  Segment seg;
  seg.seq = SeqNum(static_cast<std::uint32_t>(rng.next()));
  seg.wnd = static_cast<std::uint32_t>(rng.below(65536));
  seg.ctl = Control(static_cast<std::uint8_t>(rng.next()));
  if (seg.ctl.has(ACK)) seg.ack = SeqNum(static_cast<std::uint32_t>(rng.next()));
  seg.up = static_cast<std::uint16_t>(rng.next());
  TcpOptions& options = seg.options;
  if (rng.chance(0.5)) {
    options.has_timestamps = true;
    options.ts_val = static_cast<std::uint32_t>(rng.next());
    options.ts_ecr = static_cast<std::uint32_t>(rng.next());
  }
  if (seg.ctl.has(SYN)) {
    options.mss = static_cast<std::uint16_t>(1 + rng.below(65535));
    options.has_window_scale = rng.chance(0.5);
    if (options.has_window_scale) options.window_scale = static_cast<std::uint8_t>(rng.below(15));
    options.sack_permitted = rng.chance(0.5);
  } else {
    options.sack_count = static_cast<std::uint8_t>(rng.below(options.has_timestamps ? 4 : 5));
    for (unsigned i = 0; i < options.sack_count; ++i) {
      options.sack[i] = {SeqNum(static_cast<std::uint32_t>(rng.next())),
                         SeqNum(static_cast<std::uint32_t>(rng.next()))};
    }
  }
  return seg;
}

TEST_F(TcpTest, what_is_encoded_is_decoded_again) {
  Rng rng(42);
  for (int i = 0; i < 20'000; ++i) {
    const Segment sent = random_segment(rng);
    Packet packet = encode(sent);
    packet.meta().l4_checksum = Checksum::unknown;
    const auto arrival = host_.tcp.decode(carrier(), std::move(packet));
    ASSERT_TRUE(arrival.ok());
    const Segment& got = arrival->segment;
    EXPECT_EQ(arrival->tuple, reversed());
    EXPECT_EQ(got.seq, sent.seq);
    EXPECT_EQ(got.ack, sent.ack);
    EXPECT_EQ(got.wnd, sent.wnd);
    EXPECT_EQ(got.up, sent.up);
    EXPECT_EQ(got.ctl, sent.ctl);
    EXPECT_EQ(got.text_length, 0u);
    EXPECT_EQ(got.options.mss, sent.options.mss);
    EXPECT_EQ(got.options.has_window_scale, sent.options.has_window_scale);
    EXPECT_EQ(got.options.window_scale, sent.options.window_scale);
    EXPECT_EQ(got.options.sack_permitted, sent.options.sack_permitted);
    EXPECT_EQ(got.options.has_timestamps, sent.options.has_timestamps);
    EXPECT_EQ(got.options.ts_val, sent.options.ts_val);
    EXPECT_EQ(got.options.ts_ecr, sent.options.ts_ecr);
    ASSERT_EQ(got.options.sack_count, sent.options.sack_count);
    EXPECT_EQ(got.options.sack, sent.options.sack);
  }
}

// MUST-2.
TEST_F(TcpTest, must_2_every_packet_bears_its_checksum) {
  Rng rng(43);
  for (int i = 0; i < 1000; ++i) {
    Packet packet = encode(random_segment(rng));
    const std::vector<std::byte> octets = octets_of(packet);
    wire::Sum sum(wire::pseudo_header_sum({.source = kHere,
                                           .destination = kThere,
                                           .protocol = 6,
                                           .length = static_cast<std::uint32_t>(octets.size())}));
    sum.add(octets);
    ASSERT_EQ(sum.folded(), 0xffff);
  }
}

// MUST-3.
TEST_F(TcpTest, must_3_any_octet_that_changed_is_noticed) {
  const std::vector<std::byte> good = raw(5, 20 + 37);
  ASSERT_TRUE(host_.tcp.decode(carrier(), packet_of(good)).ok());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    const auto arrival = host_.tcp.decode(carrier(), packet_of(bad));
    EXPECT_FALSE(arrival.ok()) << i;
  }
  Carrier elsewhere = carrier();
  elsewhere.source = IpAddress::v4(198, 18, 0, 3);
  EXPECT_EQ(host_.tcp.decode(elsewhere, packet_of(good)).error(), Drop::bad_checksum);
}

TEST_F(TcpTest, what_the_device_knows_of_the_checksum_is_believed) {
  std::vector<std::byte> wrong = raw(5, 30);
  wrong[25] ^= std::byte{1};
  for (const auto& [known, is_taken] : {std::pair{Checksum::good, true},
                                        {Checksum::valid, true},
                                        {Checksum::unknown, false},
                                        {Checksum::bad, false}}) {
    Packet packet = packet_of(wrong);
    packet.meta().l4_checksum = known;
    EXPECT_EQ(host_.tcp.decode(carrier(), std::move(packet)).ok(), is_taken);
  }
  Packet packet = packet_of(raw(5, 30));
  packet.meta().l4_checksum = Checksum::bad;
  EXPECT_EQ(drop_of(std::move(packet)), Drop::bad_checksum);
}

// MUST-7.
TEST_F(TcpTest, must_7_malformed_headers_are_dropped_by_name) {
  for (std::size_t size = 1; size < 20; ++size) {
    EXPECT_EQ(drop_of(packet_of(std::vector<std::byte>(size))), Drop::too_short);
  }
  for (unsigned words = 0; words < 5; ++words) {
    EXPECT_EQ(drop_of(packet_of(raw(words, 40))), Drop::bad_header_length);
  }
  for (unsigned words = 6; words < 16; ++words) {
    EXPECT_EQ(drop_of(packet_of(raw(words, words * 4 - 1))), Drop::bad_header_length);
    EXPECT_TRUE(host_.tcp.decode(carrier(), packet_of(raw(words, words * 4))).ok());
  }
}

// MUST-57.
TEST_F(TcpTest, must_57_broadcast_is_dropped) {
  Carrier broadcast = carrier();
  broadcast.is_broadcast = true;
  const auto arrival = host_.tcp.decode(broadcast, packet_of(raw(5, 20)));
  ASSERT_FALSE(arrival.ok());
  EXPECT_EQ(arrival.error(), Drop::broadcast_transport);
}

TEST_F(TcpTest, random_octets_never_harm) {
  Rng rng(44);
  for (int i = 0; i < 50'000; ++i) {
    std::vector<std::byte> octets(1 + rng.below(120));
    for (std::byte& o : octets) o = static_cast<std::byte>(rng.next());
    if (octets.size() >= 20) {
      octets[12] = static_cast<std::byte>(rng.below(octets.size() / 4 + 2) << 4);
      if (rng.chance(0.9)) set_checksum(octets);
    }
    const auto arrival = host_.tcp.decode(carrier(), packet_of(octets, 1 + rng.below(50)));
    if (arrival) {
      EXPECT_LE(arrival->segment.text_length, octets.size() - 20);
    }
  }
}

// Headers and text over several buffers, cut anywhere.
TEST_F(TcpTest, a_chain_cut_anywhere_is_one_segment) {
  std::vector<std::byte> octets = raw(8, 32 + 500);
  for (std::size_t i = 32; i < octets.size(); ++i) octets[i] = static_cast<std::byte>(i * 7);
  std::fill_n(octets.begin() + 20, 12, std::byte{1});  // NOP
  set_checksum(octets);
  for (std::size_t piece = 1; piece < 200; ++piece) {
    auto arrival = host_.tcp.decode(carrier(), packet_of(octets, piece));
    ASSERT_TRUE(arrival.ok()) << piece;
    ASSERT_EQ(arrival->segment.text_length, 500u);
    std::size_t at = 32;
    for (const TextNode* node = arrival->segment.text.node(); node; node = node->next) {
      ASSERT_TRUE(std::equal(node->data, node->data + node->size,
                             octets.begin() + static_cast<std::ptrdiff_t>(at)));
      at += node->size;
    }
    EXPECT_EQ(at, octets.size());
  }
}

TEST_F(TcpTest, congestion_experienced_comes_from_the_ip_header) {
  for (unsigned tos = 0; tos < 4; ++tos) {
    Carrier with_tos = carrier();
    with_tos.tos = static_cast<std::uint8_t>(0xa0 | tos);
    const auto arrival = host_.tcp.decode(with_tos, packet_of(raw(5, 20)));
    ASSERT_TRUE(arrival.ok());
    EXPECT_EQ(arrival->segment.ecn, tos & 3);
  }
}

TEST_F(TcpTest, a_device_that_sums_finds_the_pseudo_header_sum) {
  Segment seg;
  seg.ctl = ACK;
  const Encoded encoded = host_.tcp.encode(Reply{.tuple = kTuple, .segment = std::move(seg)},
                                           {.checksum_by_device = true});
  EXPECT_TRUE(encoded.offload.tcp_checksum);
  EXPECT_EQ(encoded.offload.tcp_length, 20);
  EXPECT_EQ(encoded.offload.ip_length, 20);
  EXPECT_EQ(encoded.offload.tso_mss, 0);
  EXPECT_EQ(encoded.packet.peek<wire::TcpHeader>()->checksum,
            wire::pseudo_header_sum(
                {.source = kHere, .destination = kThere, .protocol = 6, .length = 20}));
}

TEST_F(TcpTest, quoted_segments_are_seen_from_here) {  // RFC 5927 4.1
  std::array<std::byte, 8> octets = {std::byte{0x9c}, std::byte{0x40}, std::byte{0}, std::byte{80},
                                     std::byte{1},    std::byte{2},    std::byte{3}, std::byte{4}};
  const auto quoted = Tcp::quoted_segment(kThere, kHere, octets);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->tuple, reversed());
  EXPECT_EQ(quoted->seq, SeqNum(0x01020304));
  EXPECT_FALSE(Tcp::quoted_segment(kThere, kHere, ConstBytes(octets).first(7)));
}

// Text of a connection, through the same wire: copied when short, by reference when long.
class TcpTextTest : public TcpHosts {
 protected:
  // What `connection` says next, and the packet of it.
  Packet next_packet(Connection& connection, const TxContext& context) {
    while (client->tcp.next_pending()) {
    }
    segment_ = connection.next_segment(now);
    EXPECT_TRUE(segment_);
    encoded_ = client->tcp.encode(connection, *segment_, context);
    return std::move(encoded_.packet);
  }
  Connection* established() {
    server->listen(80, 4);
    return connect(80);
  }
  std::string text_of(Packet packet, const Connection& connection) {
    packet.meta().l4_checksum = checksum_;
    auto arrival = server->tcp.decode(
        {connection.tuple().local.address, connection.tuple().remote.address}, std::move(packet));
    EXPECT_TRUE(arrival.ok());
    std::string text;
    if (!arrival) return text;
    for (const TextNode* node = arrival->segment.text.node(); node; node = node->next) {
      text.append(reinterpret_cast<const char*>(node->data), node->size);
    }
    return text;
  }
  std::string random_text(std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(client->rng.next());
    return text;
  }

  std::optional<Segment> segment_;
  Encoded encoded_;
  Checksum checksum_ = Checksum::unknown;
};

TEST_F(TcpTextTest, every_length_has_its_text_and_checksum) {
  Connection* out = established();
  out->options().no_delay = true;
  for (const std::size_t size : {1u, 2u, 3u, 64u, 255u, 256u, 257u, 1000u, 1447u, 1448u}) {
    const std::string text = random_text(size);
    ASSERT_TRUE(out->send(bytes_of(text), {}, now).ok());
    Packet packet = next_packet(*out, {});
    EXPECT_EQ(segment_->text_length, size);
    EXPECT_EQ(packet.segments() == 1, size <= 256) << size;
    EXPECT_EQ(text_of(std::move(packet), *out), text);
    is_cut = true;
    advance(Duration::ms(1));
    is_cut = false;
  }
  out->abort(now);
  settle();
}

TEST_F(TcpTextTest, a_segment_of_many_small_writes_is_one_packet) {
  Connection* out = established();
  std::string all;
  out->options().cork = true;
  for (int i = 0; i < 200; ++i) {
    const std::string text = random_text(7);
    ASSERT_TRUE(out->send(bytes_of(text), {}, now).ok());
    all += text;
  }
  out->options().cork = false;
  out->options_changed(now);
  EXPECT_EQ(text_of(next_packet(*out, {}), *out), all);
  out->abort(now);
  settle();
}

TEST_F(TcpTextTest, a_device_that_cuts_gets_all_at_once) {
  Connection* out = established();
  out->set_gso_limit(64000);
  const std::string text = random_text(10000);
  ASSERT_TRUE(out->send(bytes_of(text), {}, now).ok());
  Packet packet = next_packet(*out, {.checksum_by_device = true, .segmentation_by_device = true});
  ASSERT_GT(segment_->text_length, 1448u);
  EXPECT_EQ(encoded_.offload.tso_mss, segment_->gso_size);
  EXPECT_TRUE(encoded_.offload.tcp_checksum);
  EXPECT_EQ(packet.peek<wire::TcpHeader>()->checksum,
            wire::pseudo_header_sum({.source = out->tuple().local.address,
                                     .destination = out->tuple().remote.address,
                                     .protocol = 6,
                                     .length = 0}));
  checksum_ = Checksum::valid;
  EXPECT_EQ(text_of(std::move(packet), *out), text.substr(0, segment_->text_length));
  out->set_gso_limit(0);
  out->abort(now);
  settle();
}

// A text that is acknowledged while its packet still stands in a transmit ring.
TEST_F(TcpTextTest, a_packet_keeps_its_text_after_the_connection_is_gone) {
  Connection* out = established();
  const std::string text = random_text(1000);
  ASSERT_TRUE(out->send(bytes_of(text), {}, now).ok());
  Packet packet = next_packet(*out, {});
  out->abort(now);
  client->tcp.release(*out, now);
  settle();
  EXPECT_EQ(client->tcp.connections(), 0u);
  std::vector<std::byte> octets(packet.size());
  packet.copy_out(0, octets);
  const std::size_t header = packet.peek<wire::TcpHeader>()->header_length();
  EXPECT_EQ(std::memcmp(octets.data() + header, text.data(), text.size()), 0);
}

// fault-no-packets.
TEST_F(TcpTextTest, without_memory_the_packet_is_lost_and_counted) {
  Connection* out = established();
  ASSERT_TRUE(out->send(bytes_of("text"), {}, now).ok());
  std::vector<Packet> hoard;
  for (;;) {
    Packet packet = test_pool().allocate();
    if (!packet) break;
    hoard.push_back(std::move(packet));
  }
  EXPECT_FALSE(next_packet(*out, {}));
  EXPECT_EQ(client->counters.tcp_no_memory, 1u);
  hoard.clear();
  advance(Duration::seconds(2));  // and sent again
  EXPECT_EQ(server->tcp.find_listener({out->tuple().remote, out->tuple().local})->waiting(), 1u);
  EXPECT_EQ(out->unacked_octets(), 0u);
}

}  // namespace
}  // namespace pollux::tcp
