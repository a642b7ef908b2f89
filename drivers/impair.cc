// impair.cc - what happens to each packet, in this order: loss, corruption, queue, duplication.
#include "drivers/impair.h"

#include <algorithm>
#include <array>

namespace pollux {
namespace {

constexpr std::size_t kBurst = 32;

// Of its own memory, so that nobody else sees what is done to it.
Packet copy_of(const Packet& packet, PacketPool& pool) {
  Packet copy(rte_pktmbuf_copy(packet.mbuf(), pool.mempool(), 0, UINT32_MAX));
  if (copy) copy.meta() = packet.meta();
  return copy;
}

}  // namespace

ImpairedPath::ImpairedPath(const ImpairParams& params, PacketPool& pool, std::uint64_t seed)
    : params_(params), pool_(pool), rng_(seed) {
  held_.reserve(std::size_t{params.queue_packets} + kBurst);
}

bool ImpairedPath::is_later(const Held& a, const Held& b) {
  return a.due != b.due ? a.due > b.due : a.number > b.number;
}

void ImpairedPath::hold(Packet packet, Instant due, std::uint64_t number) {
  held_.push_back({due, number, std::move(packet)});
  std::push_heap(held_.begin(), held_.end(), is_later);
}

void ImpairedPath::push(Packet packet, Instant now) {
  if (rng_.chance(params_.loss)) {
    ++counts_.lost;
    return;
  }
  if (rng_.chance(params_.corrupt) && !corrupt(packet)) return;
  if (held_.size() >= params_.queue_packets) {
    ++counts_.overflowed;
    return;
  }
  ++counts_.passed;
  const Instant due = due_at(packet.size(), now);
  Packet twin = rng_.chance(params_.duplicate) ? copy_of(packet, pool_) : Packet();
  hold(std::move(packet), due, next_number_++);
  if (!twin || held_.size() >= params_.queue_packets) return;
  ++counts_.duplicated;
  hold(std::move(twin), due, next_number_++);
}

Instant ImpairedPath::due_at(std::uint32_t size, Instant now) {
  Instant sent = now;
  if (params_.rate_bits_per_s != 0) {
    const std::uint64_t bits = std::uint64_t{size} * 8;
    const std::uint64_t ns = bits * 1'000'000'000 / params_.rate_bits_per_s;
    sent = std::max(now, sent_until_) + Duration::ns(static_cast<std::int64_t>(ns));
    sent_until_ = sent;
  }
  Duration delay = params_.delay;
  if (const std::int64_t jitter = params_.jitter.to_ns(); jitter > 0) {
    const auto drawn =
        static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(2 * jitter + 1)));
    delay = std::max(Duration(), delay + Duration::ns(drawn - jitter));
  }
  last_due_ = std::max(last_due_, sent + delay);
  if (!rng_.chance(params_.reorder)) return last_due_;
  ++counts_.reordered;
  return last_due_ + (params_.delay > Duration() ? params_.delay : Duration::ms(1));
}

// False: no memory for the copy; the packet counts as lost then.
bool ImpairedPath::corrupt(Packet& packet) {
  Packet copy = copy_of(packet, pool_);
  if (!copy || copy.size() == 0) {
    ++counts_.lost;
    return false;
  }
  copy.meta().ip_checksum = Checksum::unknown;
  copy.meta().l4_checksum = Checksum::unknown;
  const std::uint64_t bit = rng_.below(std::uint64_t{copy.size()} * 8);
  auto octet = static_cast<std::uint32_t>(bit / 8);
  rte_mbuf* segment = copy.mbuf();
  while (octet >= segment->data_len) {
    octet -= segment->data_len;
    segment = segment->next;
  }
  *rte_pktmbuf_mtod_offset(segment, std::uint8_t*, octet) ^=
      static_cast<std::uint8_t>(1U << bit % 8);
  packet = std::move(copy);
  ++counts_.corrupted;
  return true;
}

Packet ImpairedPath::pop(Instant now) {
  if (held_.empty() || held_.front().due > now) return Packet();
  std::pop_heap(held_.begin(), held_.end(), is_later);
  Packet packet = std::move(held_.back().packet);
  held_.pop_back();
  return packet;
}

void ImpairedPath::put_back(Packet packet, Instant now) {
  const Instant due = earlier(now, next_event());
  hold(std::move(packet), due, back_number_--);
}

Impair::Impair(NetDevice& inner, PacketPool& pool, Clock& clock, const Params& params)
    : inner_(inner),
      clock_(clock),
      caps_(inner.caps()),
      rx_(params.rx, pool, params.seed * 2),
      tx_(params.tx, pool, params.seed * 2 + 1) {
  if (params.tx.corrupt == 0) return;
  caps_.tx_ipv4_checksum = caps_.tx_tcp_checksum = caps_.tx_udp_checksum = caps_.tx_tso = false;
}

std::size_t Impair::rx_burst(std::span<Packet> out) {
  const Instant now = clock_.now();
  send_due(now);
  std::array<Packet, kBurst> fresh;
  const std::size_t n = inner_.rx_burst(std::span(fresh).first(std::min(out.size(), kBurst)));
  for (std::size_t i = 0; i < n; ++i) rx_.push(std::move(fresh[i]), now);
  std::size_t count = 0;
  while (count < out.size()) {
    Packet packet = rx_.pop(now);
    if (!packet) break;
    out[count++] = std::move(packet);
  }
  return count;
}

std::size_t Impair::tx_burst(std::span<Packet> packets) {
  const Instant now = clock_.now();
  for (Packet& packet : packets) tx_.push(std::move(packet), now);
  send_due(now);
  return packets.size();
}

void Impair::send_due(Instant now) {
  while (Packet packet = tx_.pop(now)) {
    if (inner_.tx_burst(std::span(&packet, 1)) == 1) continue;
    tx_.put_back(std::move(packet), now);
    return;
  }
}

Instant Impair::next_event() const { return earlier(rx_.next_event(), tx_.next_event()); }

}  // namespace pollux
