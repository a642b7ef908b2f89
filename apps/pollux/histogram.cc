// histogram.cc - Histogram: percentiles and sums over the buckets.

#include "apps/pollux/histogram.h"

#include <algorithm>
#include <cmath>

namespace pollux::tool {

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const auto rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    const std::uint64_t low = lowest_of(i);
    const std::uint64_t middle = low + (lowest_of(i + 1) - low) / 2;
    return std::clamp(middle, min_, max_);
  }
  return max_;
}

std::uint64_t Histogram::count_between(std::uint64_t low, std::uint64_t high) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t lowest = lowest_of(i);
    if (lowest >= low && lowest < high) total += counts_[i];
  }
  return total;
}

}  // namespace pollux::tool
