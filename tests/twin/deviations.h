// deviations.h - where Pollux decided to differ from the kernel, and why; such a case does not
// fail.
#pragma once

#include <string_view>

namespace pollux::twin {

struct Deviation {
  std::string_view number;  // of the case
  std::string_view reason;
};

// Ends with an empty entry, so that the list may be empty.
inline constexpr Deviation kDeviations[] = {
    {"", ""},
};

}  // namespace pollux::twin
