// checks.h - Checks: what a simulation promises, a line each, and how many held.
#pragma once

#include <fmt/core.h>

namespace pollux::sim {

class Checks {
 public:
  void check(const char* what, bool holds) {
    fmt::print("{} {}\n", holds ? "ok  " : "FAIL", what);
    ++(holds ? passed_ : failed_);
  }
  // The counts, as tests/run reads them. True: none failed.
  bool end() const {
    fmt::print("{} passed, {} failed, 0 skipped\n", passed_, failed_);
    return failed_ == 0;
  }

 private:
  unsigned passed_ = 0, failed_ = 0;
};

}  // namespace pollux::sim
