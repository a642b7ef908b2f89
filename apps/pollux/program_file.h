// program_file.h - whether a program can be preloaded at all.
#pragma once

#include <string>

namespace pollux::tool {

// Where execvp(3) would find `name`; "": nowhere.
std::string find_program(const std::string& name);
// Why the preloaded library would have no effect on the program at `path`, in one sentence; "": it
// has. Of a script, its interpreter counts.
std::string why_not_preloadable(const std::string& path);

}  // namespace pollux::tool
