// ip_ids.h - identifications for datagrams that may be cut: no counter that others could read.
// RFC 6864 4.2 (unique while a datagram lives), RFC 7739; against CVE-2020-36516.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/rng.h"

namespace pollux {

// A counter behind a random permutation of 16 bits (four Feistel rounds on tables): none repeats
// within a run of 2^16, and none tells the next. A new permutation is drawn after each run.
class IpIds {
 public:
  explicit IpIds(Rng& rng) : rng_(rng) { draw(); }
  std::uint16_t next();

 private:
  void draw();
  Rng& rng_;
  std::array<std::array<std::uint8_t, 256>, 4> round_{};
  std::uint32_t count_ = 0;
};

}  // namespace pollux
