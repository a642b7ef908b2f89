// accounting.cc - the numbers of epoll-behaviours.md, and a look for each of them.
#include "tests/twin/accounting.h"

#include <algorithm>
#include <set>

#include "tests/twin/elsewhere.h"

namespace pollux::twin {
namespace {

// The numbered lines of one section, without gaps.
struct Lines {
  int section, first, last;
};

constexpr Lines kLines[] = {
    {0, 1, 8},    {1, 1, 8},    {2, 1, 15},  {2, 20, 25},  {3, 1, 13},  {4, 1, 9},    {5, 1, 13},
    {6, 1, 6},    {7, 1, 9},    {7, 20, 28}, {8, 1, 12},   {9, 1, 15},  {10, 1, 8},   {11, 1, 3},
    {12, 1, 5},   {13, 1, 14},  {14, 1, 12}, {15, 1, 11},  {16, 1, 30}, {16, 40, 45}, {16, 50, 55},
    {16, 60, 66}, {16, 70, 74}, {17, 1, 18}, {17, 20, 24}, {18, 1, 9},
};

std::vector<std::string> all_lines() {
  std::vector<std::string> all;
  for (const Lines& lines : kLines) {
    for (int line = lines.first; line <= lines.last; ++line) {
      all.push_back(std::to_string(lines.section) + "." + std::to_string(line));
    }
  }
  return all;
}

// "5.13" of "5.13b".
std::string line_of(std::string_view number) {
  return std::string(number.substr(0, number.find_last_of("0123456789") + 1));
}

// "16.61" of "16.61: read"; empty: the label names no line.
std::string line_in(const std::string& label) {
  const size_t end = label.find_first_not_of("0123456789.");
  const bool is_number = end != std::string::npos && label[end] == ':';
  return is_number && label.find('.') < end ? label.substr(0, end) : "";
}

std::set<std::string> lines_with_case(std::span<const Case> cases,
                                      std::span<const Outcome> outcomes) {
  std::set<std::string> found;
  for (const Case& one : cases) found.insert(line_of(one.number));
  for (const Outcome& outcome : outcomes) {
    for (const Observation& o : outcome.observations) found.insert(line_in(o.label));
  }
  found.erase("");
  return found;
}

const Elsewhere* find_elsewhere(std::string_view number) {
  const auto* const found = std::ranges::find(kElsewhere, number, &Elsewhere::number);
  return found == std::end(kElsewhere) ? nullptr : found;
}

}  // namespace

Account account(std::span<const Case> cases, std::span<const Outcome> outcomes) {
  const std::vector<std::string> all = all_lines();
  const std::set<std::string> with_case = lines_with_case(cases, outcomes);
  Account result{.lines = static_cast<int>(all.size())};
  for (const std::string& line : all) {
    const Elsewhere* const elsewhere = find_elsewhere(line);
    if (with_case.contains(line)) {
      ++result.with_case;
    } else if (elsewhere) {
      result.elsewhere.push_back(*elsewhere);
    } else {
      result.complaints.push_back(line + " has no case and is not in elsewhere.h");
    }
  }
  const auto check = [&](const std::string& line) {
    if (std::ranges::find(all, line) == all.end()) {
      result.complaints.push_back(line + " is no line of the list");
    }
  };
  for (const std::string& line : with_case) check(line);
  for (const Elsewhere& entry : kElsewhere) check(std::string(entry.number));
  return result;
}

}  // namespace pollux::twin
