// histogram.h - Histogram: counts of durations in log-linear buckets, exact to one part in 128.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pollux::tool {

// Values below 256 have a bucket each; above, every octave is divided into 128 equal buckets.
// Values beyond 2^40 ns (18 minutes) are counted in the last bucket. A plain value: copy it, merge
// it.
class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) << kSubBits;

  void record(std::uint64_t ns) {
    ++counts_[bucket_of(ns)];
    ++count_;
    sum_ += ns;
    if (ns < min_) min_ = ns;
    if (ns > max_) max_ = ns;
  }
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  double mean() const;
  // The smallest recorded value (to the bucket's middle) that `percent` of all values do not
  // exceed.
  std::uint64_t percentile(double percent) const;
  std::uint64_t count_in(std::size_t bucket) const { return counts_[bucket]; }
  // How many values lie in buckets whose lowest value is in [low, high).
  std::uint64_t count_between(std::uint64_t low, std::uint64_t high) const;

  static constexpr std::size_t bucket_of(std::uint64_t ns) {
    if (ns >> kMaxBits != 0) return kBuckets - 1;
    const auto bits = static_cast<unsigned>(std::bit_width(ns));
    if (bits <= kSubBits + 1) return static_cast<std::size_t>(ns);
    const unsigned shift = bits - kSubBits - 1;
    return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(ns >> shift);
  }
  static constexpr std::uint64_t lowest_of(std::size_t bucket) {
    if (bucket < std::size_t{2} << kSubBits) return bucket;
    const std::size_t shift = (bucket >> kSubBits) - 1;
    return (std::uint64_t{bucket} - (std::uint64_t{shift} << kSubBits)) << shift;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
};

static_assert(Histogram::bucket_of(255) == 255 && Histogram::bucket_of(256) == 256);
static_assert(Histogram::lowest_of(Histogram::bucket_of(1 << 20)) == 1 << 20);
static_assert(Histogram::bucket_of((std::uint64_t{1} << 40) - 1) == Histogram::kBuckets - 1);

}  // namespace pollux::tool
