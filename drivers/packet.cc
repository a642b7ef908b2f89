// packet.cc - the operations on chains of mbufs that are too long for the header.
#include "drivers/packet.h"

#include <algorithm>
#include <new>

namespace pollux {
namespace {

// False: another mbuf reads these octets too, or the memory is another mbuf's.
bool is_alone(const rte_mbuf* mbuf) {
  return RTE_MBUF_DIRECT(mbuf) && rte_mbuf_refcnt_read(mbuf) == 1;
}

void free_text(TextNode* node) {
  rte_mbuf* mbuf = Packet::mbuf_of(node);
  node->~TextNode();
  rte_pktmbuf_free_seg(mbuf);
}

// Takes the segment behind `head` out of the chain and frees it.
void drop_second(rte_mbuf* head) {
  rte_mbuf* second = head->next;
  head->next = second->next;
  --head->nb_segs;
  second->next = nullptr;
  second->nb_segs = 1;
  rte_pktmbuf_free_seg(second);
}

}  // namespace

void Packet::trim(std::uint32_t size) {
  CHECK(size <= mbuf_->pkt_len);
  std::uint32_t left = size;
  std::uint16_t kept = 1;
  rte_mbuf* last = mbuf_;
  while (left > last->data_len) {
    left -= last->data_len;
    last = last->next;
    CHECK(last != nullptr);
    ++kept;
  }
  last->data_len = static_cast<std::uint16_t>(left);
  mbuf_->pkt_len = size;
  mbuf_->nb_segs = kept;
  rte_mbuf* rest = std::exchange(last->next, nullptr);
  while (rest) {
    rte_mbuf* next = std::exchange(rest->next, nullptr);
    rest->nb_segs = 1;
    rte_pktmbuf_free_seg(rest);
    rest = next;
  }
}

bool Packet::linearize(std::uint32_t n) {
  if (n <= head_size()) return true;
  if (n > size()) return false;
  std::uint32_t missing = n - head_size();
  if (!is_alone(mbuf_) || missing > rte_pktmbuf_tailroom(mbuf_)) return false;
  while (missing > 0) {
    rte_mbuf* second = mbuf_->next;
    const auto step =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(missing, second->data_len));
    std::memcpy(data() + mbuf_->data_len, rte_pktmbuf_mtod(second, std::byte*), step);
    mbuf_->data_len = static_cast<std::uint16_t>(mbuf_->data_len + step);
    second->data_off = static_cast<std::uint16_t>(second->data_off + step);
    second->data_len = static_cast<std::uint16_t>(second->data_len - step);
    missing -= step;
    if (second->data_len == 0) drop_second(mbuf_);
  }
  return true;
}

std::uint32_t Packet::copy_out(std::uint32_t offset, Bytes out) const {
  std::uint32_t copied = 0;
  for (const rte_mbuf* m = mbuf_; m && copied < out.size(); m = m->next) {
    if (offset >= m->data_len) {
      offset -= m->data_len;
      continue;
    }
    const auto step = static_cast<std::uint32_t>(
        std::min<std::size_t>(m->data_len - offset, out.size() - copied));
    std::memcpy(out.data() + copied, rte_pktmbuf_mtod_offset(m, const std::byte*, offset), step);
    copied += step;
    offset = 0;
  }
  return copied;
}

TextNode* Packet::make_text(rte_mbuf* mbuf) {
  DCHECK(mbuf->next == nullptr);
  static_assert(alignof(TextNode) <= alignof(rte_mbuf));
  auto* node = ::new (static_cast<void*>(mbuf + 1)) TextNode;
  node->data = rte_pktmbuf_mtod(mbuf, std::byte*);
  node->size = mbuf->data_len;
  node->is_shared = !is_alone(mbuf);
  node->tail_room = node->is_shared ? 0 : rte_pktmbuf_tailroom(mbuf);
  const rte_mempool* pool = mbuf->pool;
  node->true_size = pool->header_size + pool->elt_size + pool->trailer_size;
  node->release = free_text;
  return node;
}

Text Packet::into_text() && {
  TextNode* first = nullptr;
  TextNode** link = &first;
  rte_mbuf* m = release();
  while (m) {
    rte_mbuf* next = std::exchange(m->next, nullptr);
    m->nb_segs = 1;
    if (m->data_len == 0) {
      rte_pktmbuf_free_seg(m);
    } else {
      *link = make_text(m);
      link = &(*link)->next;
    }
    m = next;
  }
  return Text(first);
}

void Packet::request(const TxOffload& offload) {
  std::uint64_t flags = mbuf_->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
  CHECK(offload.link_length < head_size());
  const bool is_ipv6 = (data()[offload.link_length] & std::byte{0xf0}) == std::byte{0x60};
  flags |= is_ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
  if (offload.ipv4_checksum && !is_ipv6) flags |= RTE_MBUF_F_TX_IP_CKSUM;
  if (offload.udp_checksum) flags |= RTE_MBUF_F_TX_UDP_CKSUM;
  if (offload.tcp_checksum) flags |= RTE_MBUF_F_TX_TCP_CKSUM;
  if (offload.tso_mss != 0) flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
  mbuf_->ol_flags = flags;
  mbuf_->tx_offload = 0;
  mbuf_->l2_len = offload.link_length & 0x7f;
  mbuf_->l3_len = offload.ip_length & 0x1ff;
  mbuf_->l4_len = offload.tcp_length;
  mbuf_->tso_segsz = offload.tso_mss;
}

}  // namespace pollux
