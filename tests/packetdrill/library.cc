// library.cc - libpollux-packetdrill.so: what `packetdrill --so_filename` opens.
#include "tests/packetdrill/table.h"

extern "C" __attribute__((visibility("default"))) void packetdrill_interface_init(
    const char* flags, packetdrill_interface* interface) {
  pollux::packetdrill::fill_table(flags, *interface);
}
