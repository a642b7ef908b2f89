// environment.h - what `pollux run` told the library; taken at once, for programs clear their
// environments.
#pragma once

#include <string>
#include <vector>

namespace pollux::preload {

struct Environment {
  std::string library;                // of libpollux; "": the loader's to find
  std::string config;                 // plx_init's file; "": none
  std::vector<std::string> settings;  // and its settings
  std::string rules;                  // plx_rules(); "": the library does nothing at all
};

// Empty in a set-user-ID program.
const Environment& environment();
// Not before libc's own constructor: a sanitizer's runtime makes calls as early as that.
bool has_environment();

}  // namespace pollux::preload
