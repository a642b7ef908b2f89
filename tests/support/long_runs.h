// long_runs.h - how often a test does what it does: a little each time, a lot in the suite `long`.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace pollux::testing_support {

// That suite's tests set POLLUX_LONG (tests/unit/*/meson.build).
inline std::uint32_t times(std::uint32_t ordinarily, std::uint32_t at_length) {
  return std::getenv("POLLUX_LONG") ? at_length : ordinarily;
}

}  // namespace pollux::testing_support
