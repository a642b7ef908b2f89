// epitem.h - EpItem: one registration of one descriptor of one file in one set.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <cstdint>

#include "epoll/file.h"
#include "epoll/wait_queue.h"

namespace pollux {

class EventPoll;

// Linux: struct epitem. All links are members; it is on at most four structures at once:
//
//   EventPoll::rbr_        by (file, number)         guarded by the set's mtx
//   File::watchers()       who watches this file     guarded by the file's wait-queue lock
//   WaitQueue (WaitEntry)  hears wake-ups            guarded by the file's wait-queue lock
//   rdllist_ or ovflist_   may be ready              guarded by the set's lock
//
// Owned by its set; ends with DEL, with the last close of the file, or with the set.
class EpItem final : public WaitEntry,
                     public boost::intrusive::list_base_hook<boost::intrusive::tag<struct WatchersTag>>,
                     public boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
 public:
  // Linux: ep_poll_callback(). Any thread; the file's wait-queue lock is held.
  bool wake(PollEvents key) override;
};

}  // namespace pollux
