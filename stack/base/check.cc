// check.cc - what happens when an assertion fails.
#include "stack/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pollux {
namespace {
const char* check_note = nullptr;
}

void set_check_note(const char* note) { check_note = note; }

void check_failed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "pollux: %s:%d: CHECK failed: %s%s%s\n", file, line, expression,
               check_note ? "; " : "", check_note ? check_note : "");
  std::abort();
}
}  // namespace pollux
