// privileges.h - what opening a device needs of a program that gives up being root before.
//
// A server's workers call setuid() before they first wait for a connection, and so before the stack
// starts. What a TAP or a packet socket is opened with then, CAP_NET_ADMIN and CAP_NET_RAW, stays
// permitted, but not effective, until the stack has started: in the calling thread, and in those it
// makes. A program that was not root keeps nothing.
#pragma once

namespace pollux::preload {

// Effective while it lives.
class RaisedCapabilities {
 public:
  RaisedCapabilities();
  RaisedCapabilities(const RaisedCapabilities&) = delete;
  RaisedCapabilities& operator=(const RaisedCapabilities&) = delete;
  ~RaisedCapabilities();
};

// The stack has started, or cannot.
void give_up_capabilities();

}  // namespace pollux::preload
