// main.cc - runs scripts on the stack in this process: packetdrill [--jobs N] FILE_OR_FOLDER...
#include "tests/packetdrill/programs.h"
#include "tests/packetdrill/table.h"

int main(int argc, char** argv) {
  using namespace pollux::packetdrill;
  return run_scripts({argv + 1, argv + argc}, {fill_table, &extras()});
}
