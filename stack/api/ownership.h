// ownership.h - which addresses are the stack's in an unmodified program, as a text.
#pragma once

#include <string>

#include "stack/core/config.h"

namespace pollux {

// As plx_rules() has it. A socket is the stack's when its address is, be it bound or connected;
// what no rule names is the kernel's.
std::string ownership_rules(const Config& config);

}  // namespace pollux
