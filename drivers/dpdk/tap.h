// tap.h - which TAP interface a net_tap port gets, and whether somebody has it.
#pragma once

#include <string>

namespace pollux {

// net_tap opens TAPs for several queues, so a second process that names one is not refused but
// takes half of its packets; and without a name it takes dtap0, in every process.

// The interface that the device's arguments ("iface=x,...") name; empty: none.
std::string tap_interface(const std::string& arguments);
// The arguments with a name that is free, if they had none.
std::string with_tap_interface(const std::string& arguments);
// True if a process has the other end of this interface open.
bool is_tap_taken(const std::string& interface);
// That process may be ending just now. False: after a second it still has it.
bool await_tap(const std::string& interface);

}  // namespace pollux
