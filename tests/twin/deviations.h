// deviations.h - where Pollux decided to differ from the kernel, and why; such a case does not
// fail.
#pragma once

#include <string_view>

namespace pollux::twin {

struct Deviation {
  std::string_view number;  // of the case
  std::string_view reason;
};

// Ends with an empty entry, so that the list may be empty.
inline constexpr Deviation kDeviations[] = {
    {"7.5", "a forked child owns no stack: its copy of a set answers EBADF"},
    {"9.7", "a forked child owns no stack: its copies of descriptors keep nothing alive"},
    {"9.8", "a forked child owns no stack: it cannot add to its parent's set"},
    {"9.9", "no descriptor of Pollux's can be sent to another process: there are no UNIX sockets"},
    {"3.5b",
     "a library touches its caller's memory itself: what is bad there faults (EFAULT is for "
     "NULL and the kernel's addresses)"},
    {"10.3",
     "the sleep is one ppoll, which the kernel takes up again after SIGCONT; to end it would "
     "cost two epoll_ctl a sleep"},
    {"", ""},
};

}  // namespace pollux::twin
