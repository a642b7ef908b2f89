// fuzz_stack_cookies.cc - a stack that answers every SYN with a cookie (RFC 4987 3.6).
#include "tests/fuzz/fuzz_stack.h"

namespace pollux::fuzz {

const std::uint32_t kSynCookies = 2;

}  // namespace pollux::fuzz
