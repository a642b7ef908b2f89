// deadline.cc - seconds beyond the clock's range wait for ever; zero never reads the clock.
#include "stack/api/deadline.h"

#include "stack/api/addresses.h"

namespace pollux {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kMaxSeconds = INT64_MAX / kNsPerSecond - 1;

Instant after(std::int64_t seconds, std::int64_t ns, Instant now) {
  if (seconds == 0 && ns == 0) return Instant();
  if (seconds > kMaxSeconds) return Instant::never();
  return now + Duration::ns(seconds * kNsPerSecond + ns);
}

}  // namespace

Instant deadline_of_ms(int timeout_ms, Instant now) {
  if (timeout_ms < 0) return Instant::never();
  return timeout_ms == 0 ? Instant() : now + Duration::ms(timeout_ms);
}

Result<Instant> deadline_of(const timespec* timeout, Instant now) {
  if (!timeout) return Instant::never();
  if (is_bad(timeout)) return Errno::fault;
  if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= kNsPerSecond) {
    return Errno::invalid;
  }
  return after(timeout->tv_sec, timeout->tv_nsec, now);
}

Result<Instant> deadline_of(const timeval* timeout, Instant now) {
  if (!timeout) return Instant::never();
  if (is_bad(timeout)) return Errno::fault;
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) return Errno::invalid;
  const std::int64_t seconds = timeout->tv_sec + timeout->tv_usec / 1'000'000;
  return after(seconds, timeout->tv_usec % 1'000'000 * 1'000, now);
}

timeval remaining(Instant deadline, Instant now) {
  const std::int64_t us = deadline > now ? (deadline - now).to_us() : 0;
  return {.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
}

}  // namespace pollux
