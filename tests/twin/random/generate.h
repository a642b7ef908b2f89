// generate.h - generate(): the random program of a seed, the same on every machine.
#pragma once

#include "tests/twin/random/program.h"

namespace pollux::twin {

Program generate(uint64_t seed);

}  // namespace pollux::twin
