// shrink.h - Difference: where two sides part; shrink(): the shortest program that shows one.
#pragma once

#include <optional>

#include "tests/twin/random/side_process.h"

namespace pollux::twin {

struct Difference {
  Program program;
  Answers kernel, pollux;
  size_t at = 0;  // the first call they answer differently
};

// Runs a program on both sides at the same time; none: they agree. The kernel's side comes first.
std::optional<Difference> compare(Side& kernel, Side& pollux, const Program& program);

// Delta debugging: leaves out runs of calls, then single ones, then simplifies what is left, until
// nothing more can go. Every trial runs anew on both sides.
Difference shrink(Side& kernel, Side& pollux, const Difference& difference);

// C that compiles, with what each side said.
std::string to_c(const Difference& difference);

}  // namespace pollux::twin
