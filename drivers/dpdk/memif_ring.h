// memif_ring.h - MemifRing: the interrupt flag and eventfd of a connected net_memif receive queue.
#pragma once

#include <cstdint>

namespace pollux {

// net_memif has no receive interrupt, although its wire format has one. This finds the two parts of
// it: the eventfd in the driver's queue (a private struct; its layout is that of DPDK 22.11,
// another version is refused) and the flags in the shared ring, checked by their cookie. Lives for
// one connection; no such part found: is_usable() is false and the queue is polled.
class MemifRing {
 public:
  MemifRing() = default;
  MemifRing(const MemifRing&) = delete;
  MemifRing& operator=(const MemifRing&) = delete;
  ~MemifRing() { forget(); }
  void attach(std::uint16_t port);
  void forget();

  bool is_usable() const { return flags_ != nullptr; }
  int event_fd() const { return event_fd_; }
  void allow_interrupts();
  void mask_interrupts();

 private:
  std::uint16_t* flags_ = nullptr;
  char* region_ = nullptr;  // the mapping claimed by this ring; another port's is not ours
  int event_fd_ = -1;
};

}  // namespace pollux
