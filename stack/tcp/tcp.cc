// tcp.cc - octets to segments and back: the only file of stack/tcp that reads or writes packets.
// RFC 9293 3.1; RFC 5927 4.1 for what an ICMP error quotes.
#include "stack/tcp/tcp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"
#include "stack/wire/tcp_options.h"

namespace pollux::tcp {

namespace {

// Text up to this many octets is copied behind the header: cheaper than a second mbuf (40 ns).
constexpr std::uint32_t kCopyLimit = 256;

// As wire::pseudo_header_sum() (a test compares), without asking which family: the prefix of a
// mapped address sums up to 0xffff, which is nothing to a one's-complement sum. 3 ns instead of 12.
std::uint16_t pseudo_sum(const IpAddress& source, const IpAddress& destination,
                         std::uint32_t length) {
  std::array<std::uint32_t, 8> words;
  std::memcpy(words.data(), source.octets().data(), 16);
  std::memcpy(words.data() + 4, destination.octets().data(), 16);
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words) sum += word;
  const std::uint16_t addresses = wire::fold(sum);
  const be16 in_wire_order = std::bit_cast<be16>(addresses);
  return wire::fold(std::uint64_t{in_wire_order} + wire::kProtocolTcp + length);
}

bool is_checksum_right(const Carrier& carrier, const Packet& packet) {
  switch (packet.meta().l4_checksum) {
    case Checksum::good:
    case Checksum::valid:
      return true;
    case Checksum::bad:
      return false;
    case Checksum::unknown:
      break;
  }
  wire::Sum sum(pseudo_sum(carrier.source, carrier.destination, packet.size()));
  for (const auto* m = packet.mbuf(); m; m = m->next) {
    sum.add({static_cast<const std::byte*>(m->buf_addr) + m->data_off, m->data_len});
  }
  return sum.folded() == 0xffff;
}

// The header's length, once it is contiguous and the checksum is right.
Accepted<std::uint16_t> check_header(const Carrier& carrier, Packet& packet) {
  if (carrier.is_broadcast) return Drop::broadcast_transport;  // MUST-57
  if (packet.size() < sizeof(wire::TcpHeader)) return Drop::too_short;
  if (!packet.linearize(sizeof(wire::TcpHeader))) return Drop::no_memory;
  const std::uint16_t header_length = packet.peek<wire::TcpHeader>()->header_length();
  if (header_length < sizeof(wire::TcpHeader)) return Drop::bad_header_length;
  if (header_length > packet.size()) return Drop::bad_header_length;
  if (!packet.linearize(header_length)) return Drop::no_memory;
  if (!is_checksum_right(carrier, packet)) return Drop::bad_checksum;  // MUST-3
  return header_length;
}

void read_header(const wire::TcpHeader& header, std::uint16_t header_length, Segment& seg) {
  seg.seq = SeqNum(header.seq);
  seg.ack = SeqNum(header.ack);
  seg.wnd = header.window;
  seg.up = header.urgent_pointer;
  seg.ctl = Control(header.control);
  if (header_length == sizeof header) return;
  const auto* options = reinterpret_cast<const std::byte*>(&header + 1);
  wire::parse_tcp_options({options, header_length - sizeof header}, seg.ctl.has(SYN), seg.options);
}

// Writes `size` octets of options; returns their sum, not folded.
std::uint64_t write_options(std::byte* out, const TcpOptions& options, std::size_t size) {
  wire::build_tcp_options(options, {out, size});
  constexpr std::size_t kTimestampsSize = 12;
  if (options.has_timestamps && !options.sack_permitted && size == kTimestampsSize) {
    return 0x0101 + 0x080a + std::uint64_t{options.ts_val} + options.ts_ecr;
  }
  return wire::ones_sum({out, size});
}

// Writes header and options at `out`, the checksum field 0; returns their sum, not folded. It is
// taken from the values: reading back with wide loads what narrow stores just wrote costs 15 ns.
std::uint64_t write_header(std::byte* out, const FourTuple& tuple, const Segment& seg,
                           std::uint16_t header_length) {
  auto* header = reinterpret_cast<wire::TcpHeader*>(out);
  const std::uint32_t ack = seg.ctl.has(ACK) ? seg.ack.value() : 0;
  const auto data_offset = static_cast<std::uint8_t>(header_length / 4 << 4);
  header->source_port = tuple.local.port;
  header->destination_port = tuple.remote.port;
  header->seq = seg.seq.value();
  header->ack = ack;
  header->data_offset = data_offset;
  header->control = seg.ctl.bits();
  header->window = static_cast<std::uint16_t>(seg.wnd);
  header->checksum = 0;
  header->urgent_pointer = seg.up;
  const std::uint64_t sum = std::uint64_t{tuple.local.port} + tuple.remote.port + seg.seq.value() +
                            ack + (data_offset * 256u + seg.ctl.bits()) + (seg.wnd & 0xffff) +
                            seg.up;
  if (header_length == sizeof *header) return sum;
  return sum + write_options(out + sizeof *header, seg.options, header_length - sizeof *header);
}

// The text of a segment, in order and `kPieces` at a time; `take(const TextPiece&)` says whether to
// go on.
template <std::size_t kPieces, typename Take>
bool for_each_piece(Connection& connection, const Segment& seg, Take&& take) {
  std::array<TextPiece, kPieces> pieces;
  const SeqNum first = seg.seq + (seg.ctl.has(SYN) ? 1u : 0u);
  std::uint32_t done = 0;
  while (done < seg.text_length) {
    const unsigned count = connection.text(first + done, seg.text_length - done, std::span(pieces));
    CHECK(count > 0);
    for (unsigned i = 0; i < count; ++i) {
      if (!take(pieces[i])) return false;
      done += pieces[i].size;
    }
  }
  return true;
}

// Copies the text to `out`; adds it to `sum` if that is not null, in the same pass.
void copy_text(Connection& connection, const Segment& seg, std::byte* out, wire::Sum* sum) {
  for_each_piece<2>(connection, seg, [&](const TextPiece& piece) {
    const ConstBytes octets(piece.node->data + piece.offset, piece.size);
    if (sum) {
      sum->add_folded(wire::copy_and_sum(out, octets), octets.size());
    } else {
      std::memcpy(out, octets.data(), octets.size());
    }
    out += piece.size;
    return true;
  });
}

// Chains the text behind `packet` by reference. False: no memory.
bool attach_text(Connection& connection, const Segment& seg, Packet& packet, PacketPool& pool) {
  return for_each_piece<8>(connection, seg, [&](const TextPiece& piece) {
    Packet tail = pool.refer(*piece.node, piece.offset, piece.size);
    if (!tail) return false;
    PacketPool::chain(packet, std::move(tail));
    return true;
  });
}

void add_text(Connection& connection, const Segment& seg, wire::Sum& sum) {
  for_each_piece<8>(connection, seg, [&](const TextPiece& piece) {
    sum.add({piece.node->data + piece.offset, piece.size});
    return true;
  });
}

}  // namespace

Accepted<Arrival> Tcp::decode(const Carrier& carrier, Packet packet) {
  Accepted<Arrival> result = Drop::too_short;
  const Accepted<std::uint16_t> header_length = check_header(carrier, packet);
  if (!header_length) {
    result = header_length.error();
    return result;
  }
  const wire::TcpHeader& header = *packet.peek<wire::TcpHeader>();
  auto& [tuple, seg] = result.emplace();
  tuple.local = {.address = carrier.destination, .port = header.destination_port};
  tuple.remote = {.address = carrier.source, .port = header.source_port};
  read_header(header, *header_length, seg);
  seg.ecn = carrier.tos & 3;
  seg.text_length = packet.size() - *header_length;
  if (seg.text_length != 0) {
    packet.pull(*header_length);
    seg.text = std::move(packet).into_text();
  }
  return result;
}

std::optional<QuotedSegment> Tcp::quoted_segment(const IpAddress& source,
                                                 const IpAddress& destination,
                                                 ConstBytes transport) {
  if (transport.size() < 8) return std::nullopt;  // RFC 792: at least 64 bits are quoted
  std::array<std::byte, sizeof(wire::TcpHeader)> octets{};
  std::memcpy(octets.data(), transport.data(), 8);
  const auto& header = *reinterpret_cast<const wire::TcpHeader*>(octets.data());
  return QuotedSegment{
      .tuple = {.local = {.address = source, .port = header.source_port},
                .remote = {.address = destination, .port = header.destination_port}},
      .seq = SeqNum(header.seq)};
}

Encoded Tcp::encode(Connection& connection, const Segment& seg, const TxContext& context) {
  return encode_segment(connection.tuple(), seg, &connection, context);
}

Encoded Tcp::encode(const Reply& reply, const TxContext& context) {
  ++shared_.counters.tcp_segments_out;  // those of connections are counted there
  if (reply.segment.ctl.has(RST)) ++shared_.counters.tcp_resets_out;
  return encode_segment(reply.tuple, reply.segment, nullptr, context);
}

// Header and short text in one buffer, longer text chained behind by reference.
Encoded Tcp::encode_segment(const FourTuple& tuple, const Segment& seg, Connection* connection,
                            const TxContext& context) {
  CHECK(connection || seg.text_length == 0);
  const auto header_length =
      static_cast<std::uint16_t>(sizeof(wire::TcpHeader) + wire::tcp_options_size(seg.options));
  const bool is_copied = seg.text_length <= kCopyLimit;
  const auto copied = static_cast<std::uint16_t>(is_copied ? seg.text_length : 0);
  Encoded encoded;
  Packet packet = seg.text_length == 0 ? pool_.allocate_from_reserve() : pool_.allocate();
  std::byte* octets =
      packet ? packet.put(static_cast<std::uint16_t>(header_length + copied)) : nullptr;
  if (!octets || (!is_copied && !attach_text(*connection, seg, packet, pool_))) {
    ++shared_.counters.tcp_no_memory;
    return encoded;
  }
  const std::uint64_t header_sum = write_header(octets, tuple, seg, header_length);

  const bool is_cut = seg.gso_size != 0 && seg.text_length > seg.gso_size;
  CHECK(!is_cut || context.segmentation_by_device);
  const bool by_device = context.checksum_by_device || is_cut;
  // A device that cuts adds the length of each piece itself.
  const std::uint16_t pseudo = pseudo_sum(tuple.local.address, tuple.remote.address,
                                          is_cut ? 0 : header_length + seg.text_length);
  wire::Sum sum(by_device ? pseudo : pseudo + header_sum);
  if (copied != 0) copy_text(*connection, seg, octets + header_length, by_device ? nullptr : &sum);
  if (!by_device && !is_copied) add_text(*connection, seg, sum);
  // MUST-2.
  reinterpret_cast<wire::TcpHeader*>(octets)->checksum = by_device ? sum.folded() : sum.checksum();

  encoded.packet = std::move(packet);
  encoded.offload.tcp_checksum = by_device;
  encoded.offload.tso_mss = is_cut ? seg.gso_size : std::uint16_t{0};
  encoded.offload.ip_length = tuple.local.address.is_v4() ? 20 : 40;
  encoded.offload.tcp_length = static_cast<std::uint8_t>(header_length);
  return encoded;
}

}  // namespace pollux::tcp
