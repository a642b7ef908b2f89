// fuzz_stack_plain.cc - a stack as it is configured by default.
#include "tests/fuzz/fuzz_stack.h"

namespace pollux::fuzz {

const std::uint32_t kSynCookies = 1;

}  // namespace pollux::fuzz
