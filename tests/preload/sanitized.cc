// sanitized.cc - what a program with the sanitizers needs under a preloaded library with them.
#include <stdlib.h>

// Their runtime is in the program: children that are other programs could not load the library.
[[gnu::constructor]] static void spare_children() { unsetenv("LD_PRELOAD"); }

// A cancelled thread's frames are left without a word to AddressSanitizer, which takes what is then
// called there for an overflow: so the frames have to be elsewhere than on the stack.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=1"; }
