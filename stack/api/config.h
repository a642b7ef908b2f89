// config.h - reading the TOML configuration; every message says where, what and what to do.
#pragma once

#include <string>

#include "stack/core/config.h"

namespace pollux {

struct ConfigError {
  std::string message;  // empty: none
  explicit operator bool() const { return !message.empty(); }
};

// `file`: a path; empty: defaults. `settings`: null, or "key=value" texts ended by a null pointer,
// which override the file. Unknown keys are refused with the nearest known one named.
ConfigError read_config(const std::string& file, const char* const* settings, Config& config);

}  // namespace pollux
