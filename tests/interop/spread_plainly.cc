// spread_plainly.cc - the spread of the interop tests: the device is left as the stack set it up.
#include "tests/interop/spread.h"

bool before_traffic() { return true; }
