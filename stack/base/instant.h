// instant.h - points in time and distances between them, in nanoseconds, as types.
#pragma once

#include <compare>
#include <cstdint>

namespace pollux {

// A distance in time; signed.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration ns(std::int64_t n) { return Duration(n); }
  static constexpr Duration us(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration ms(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(std::int64_t n) { return Duration(n * 1'000'000'000); }
  constexpr std::int64_t to_ns() const { return ns_; }
  constexpr std::int64_t to_us() const { return ns_ / 1'000; }
  constexpr std::int64_t to_ms() const { return ns_ / 1'000'000; }
  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return Duration(a.ns_ + b.ns_); }
  friend constexpr Duration operator-(Duration a, Duration b) { return Duration(a.ns_ - b.ns_); }
  friend constexpr Duration operator*(Duration a, std::int64_t n) { return Duration(a.ns_ * n); }
  friend constexpr Duration operator/(Duration a, std::int64_t n) { return Duration(a.ns_ / n); }

 private:
  constexpr explicit Duration(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

// A point on the monotonic clock (CLOCK_MONOTONIC's zero, or the simulation's).
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_ns(std::int64_t n) { return Instant(n); }
  static constexpr Instant never() { return Instant(INT64_MAX); }  // later than everything
  constexpr std::int64_t to_ns() const { return ns_; }
  constexpr bool is_never() const { return ns_ == INT64_MAX; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
  // never() stays never; a sum beyond the range is never.
  friend constexpr Instant operator+(Instant t, Duration d) {
    if (t.is_never() || (d.to_ns() > 0 && t.ns_ > INT64_MAX - d.to_ns())) return never();
    return Instant(t.ns_ + d.to_ns());
  }
  friend constexpr Instant operator-(Instant t, Duration d) { return Instant(t.ns_ - d.to_ns()); }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration::ns(a.ns_ - b.ns_); }

 private:
  constexpr explicit Instant(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

constexpr Instant earlier(Instant a, Instant b) { return a < b ? a : b; }

}  // namespace pollux
