// programs.h - scripts by the folder: each in a process of its own, so that a crash costs one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/packetdrill/runner.h"

namespace pollux::packetdrill {

// Fills a table for a script's flags.
using MakeTable = std::function<void(const char* flags, packetdrill_interface& table)>;

struct Stack {
  MakeTable make_table;
  const Extras* extras = nullptr;
};

// "" if it passed, else "file:line: what" and the line; `impossible`: it makes calls that the
// table has no slot for, and has not been run. After a failure the process had better end.
std::string run_script(const std::string& path, const std::string& text, const Stack& stack,
                       bool& impossible);
// The scripts in `arguments` and, of folders, below them; `--jobs N` at a time. Prints what failed,
// and the counts; returns main's result.
int run_scripts(const std::vector<std::string>& arguments, const Stack& stack);

}  // namespace pollux::packetdrill
