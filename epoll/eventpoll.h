// eventpoll.h - EventPoll: a set of watched files; ctl, ready list, overflow list, wait, nesting.
// Read first: README.md beside this file, then send_events() in eventpoll.cc.
//
// Entering, locks, lifetimes. Order, outer first:
//   nesting mutex (process-wide; ADD of a set to a set)
//   EventPoll::mtx_ (ctl and transfer), outer set before inner
//   one stack entry, never two
//   a wait queue's lock (the stack entry itself for files of one stack); it also guards watchers
//   EventPoll::lock_ (rdllist_ and ovflist_)
// A set wakes its own watchers after releasing lock_. File::poll() is called with mtx_ held and the
// file's stack entered (once per run of items of one stack). A call holds a reference to every file
// it uses; the last reference is dropped with nothing held.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>

#include "epoll/busy_poll.h"
#include "epoll/epitem.h"
#include "epoll/file.h"
#include "stack/base/result.h"

namespace pollux {

// What epoll_ctl's second descriptor resolved to: the key of an item is (file, number).
struct Watched {
  File* file;
  int number;
};

// The body of the class is the epoll folder's own; this is what stack/api and blocking calls use.
class EventPoll;

}  // namespace pollux
