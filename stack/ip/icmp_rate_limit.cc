// icmp_rate_limit.cc - token buckets whose size and pace are drawn anew whenever they fill up.
#include "stack/ip/icmp_rate_limit.h"

#include <algorithm>
#include <bit>

#include "stack/ip/address_hash.h"

namespace pollux {

IcmpRateLimit::IcmpRateLimit(const Limits& limits, Rng& rng)
    : limits_(limits), rng_(rng), key_(rng.next()), buckets_(std::bit_ceil(limits.buckets)) {}

bool IcmpRateLimit::allow(const IpAddress& destination, Instant now) {
  Bucket& bucket = buckets_[hash_address(destination, key_) & (buckets_.size() - 1)];
  refill(bucket, now);
  if (bucket.tokens == 0) return false;
  --bucket.tokens;
  return true;
}

// The pace varies by half either way, so that counting answers over time tells no more than a
// burst.
void IcmpRateLimit::draw(Bucket& bucket) {
  bucket.capacity = static_cast<std::uint16_t>(limits_.burst + rng_.below(limits_.burst + 1));
  const auto half = static_cast<std::uint64_t>(limits_.interval.to_ns() / 2);
  bucket.interval = Duration::ns(static_cast<std::int64_t>(half + rng_.below(2 * half + 1)));
}

void IcmpRateLimit::refill(Bucket& bucket, Instant now) {
  if (bucket.capacity == 0) {
    draw(bucket);
    bucket.tokens = bucket.capacity;
    bucket.refilled = now;
    return;
  }
  const std::int64_t pace = std::max<std::int64_t>(bucket.interval.to_ns(), 1);
  const std::int64_t due = (now - bucket.refilled).to_ns() / pace;
  if (due <= 0) return;
  bucket.refilled = bucket.refilled + bucket.interval * due;
  if (due < bucket.capacity - bucket.tokens) {
    bucket.tokens = static_cast<std::uint16_t>(bucket.tokens + due);
    return;
  }
  draw(bucket);
  bucket.tokens = bucket.capacity;
  bucket.refilled = now;
}

}  // namespace pollux
