// check.h - assertions: CHECK aborts always, DCHECK in debug builds and tests only.
#pragma once

namespace pollux {
// Prints file, line, expression and the seed of a running simulation, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression);
// What a failure adds to its line, for example "seed 42"; null for nothing. Set by test programs.
void set_check_note(const char* note);
}  // namespace pollux

#define CHECK(condition)                       \
  (__builtin_expect(!!(condition), 1) ? void() \
                                      : ::pollux::check_failed(__FILE__, __LINE__, #condition))
#ifdef POLLUX_DEBUG
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) (true ? void() : void(condition))
#endif
#define UNREACHABLE() ::pollux::check_failed(__FILE__, __LINE__, "unreachable")
