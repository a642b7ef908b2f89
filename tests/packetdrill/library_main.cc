// library_main.cc - runs scripts through the library, as packetdrill does: LIBRARY
// FILE_OR_FOLDER...
#include <dlfcn.h>

#include <cstdio>

#include "tests/packetdrill/programs.h"

int main(int argc, char** argv) {
  using namespace pollux::packetdrill;
  constexpr int kAsPacketdrill = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND;
  void* const library = argc > 1 ? dlopen(argv[1], kAsPacketdrill) : nullptr;
  void* const symbol = library ? dlsym(library, "packetdrill_interface_init") : nullptr;
  if (!symbol) {
    std::fprintf(stderr, "packetdrill-library: %s\n", argc > 1 ? dlerror() : "which library?");
    return 1;
  }
  const auto init = reinterpret_cast<packetdrill_interface_init_t>(symbol);
  return run_scripts(
      {argv + 2, argv + argc},
      {[init](const char* flags, packetdrill_interface& table) { init(flags, &table); }, nullptr});
}
