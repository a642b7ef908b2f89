// table.h - the slots of packetdrill's interface, filled with the public calls on a World.
#pragma once

#include "tests/packetdrill/interface.h"

namespace pollux::packetdrill {

// Makes a World (world.h), which free() ends. Aborts with a message when `flags` cannot be had: the
// interface knows no error here.
void fill_table(const char* flags, packetdrill_interface& table);
const Extras& extras();

}  // namespace pollux::packetdrill
