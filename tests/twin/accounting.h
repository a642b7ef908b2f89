// accounting.h - whether each line of the list of behaviours has a case, or is shown elsewhere.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/twin/side.h"

namespace pollux::twin {

// A line that no case can show, and what there is instead.
struct Elsewhere {
  std::string_view number;
  std::string_view where;
};

struct Account {
  int lines = 0;                        // of the list
  int with_case = 0;                    // a case has its number, or an observation: "16.61: ..."
  std::vector<Elsewhere> elsewhere;     // those of them without a case
  std::vector<std::string> complaints;  // lines that are nowhere, numbers that are no line's
};

// Of a whole run: one outcome per case.
Account account(std::span<const Case> cases, std::span<const Outcome> outcomes);

}  // namespace pollux::twin
