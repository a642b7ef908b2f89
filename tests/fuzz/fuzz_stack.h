// fuzz_stack.h - what the programs made of fuzz_world.cc differ in.
#pragma once

#include <cstdint>

namespace pollux::fuzz {

extern const std::uint32_t kSynCookies;  // tcp.syncookies of the stack

}  // namespace pollux::fuzz
