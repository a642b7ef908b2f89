// side.h - runs cases on one side, in processes of their own, so that a crash or a hang is one
// case's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tests/twin/twin.h"

namespace pollux::twin {

struct Outcome {
  std::string end = "not run";  // "" if the case ran to its end; otherwise how its process ended
  std::vector<Observation> observations;
};

// One outcome per case. `config` is given to the side's start().
std::vector<Outcome> run_side(const Calls& calls, const std::string& config,
                              std::span<const Case> cases);

}  // namespace pollux::twin
