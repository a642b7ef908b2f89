// mutations.h - one field of a packet set to one value, and the tables of all that are tried.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/systematic/model.h"

namespace pollux::systematic {

struct Mutation {
  std::string name;
  unsigned field;  // two of one field make no pair
  std::function<void(Fields&, const Model&)> apply;
};
using Mutations = std::vector<Mutation>;

// RFC 9293 3.1: every field of the TCP header at its boundaries; flags and data offsets, all.
Mutations tcp_fields();
// RFC 791 3.1, likewise.
Mutations ip_fields();
// RFC 791 3.1: every kind of IP option with lengths that are right, short, long and none.
Mutations ip_options();
// Values of the TCP options that we know: timestamps, MSS, window scale, SACK.
Mutations option_values();
// Kinds 0 to 255 with length octets 0 to 40, behind `nops` NOPs and before the other options.
// `only_some`: of the kinds, those that somebody has defined and a few that nobody has.
Mutations option_shapes(unsigned nops, bool only_some);
// Few enough for every pair: the values of each field that have found most.
Mutations for_pairs();

}  // namespace pollux::systematic
