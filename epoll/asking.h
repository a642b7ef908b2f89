// asking.h - asks files what they are ready for: entering stacks once per run, the kernel in
// batches.
#pragma once

#include <poll.h>

#include <array>

#include "epoll/epitem.h"
#include "epoll/file.h"

namespace pollux {

// One file, nothing entered.
inline PollEvents ask(File& file) {
  if (Entry* const entry = file.stack_entry()) {
    Entered entered(*entry);
    return file.poll();
  }
  return file.poll();
}

// Asks the items at the front of one list, one after the other. Lives as long as the walk. The
// kernel is asked about as many of its files at a time as the walk can use (`most`): an answer too
// many costs 0.1 us, in each wait while a flood of them is ready.
class Asker {
 public:
  explicit Asker(const ReadyList& list, std::size_t most = kBatch)
      : list_(list), batch_(most < kBatch ? most : kBatch) {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() { move_to(nullptr); }

  PollEvents ask_front() {
    const EpItem& item = list_.front();
    move_to(item.file().stack_entry());
    if (item.file().kernel_fd() >= 0) return next_kernel_answer() & item.events();
    return item.file().poll() & item.events();
  }

 private:
  static constexpr std::size_t kBatch = 32;

  // Linux has nothing to enter; here items of one stack, met in a row, share one entry.
  void move_to(Entry* entry) {
    if (entry == inside_) return;
    if (inside_) inside_->leave();
    if (entry) entry->enter();
    inside_ = entry;
  }
  PollEvents next_kernel_answer();

  const ReadyList& list_;
  const std::size_t batch_;
  Entry* inside_ = nullptr;
  std::array<pollfd, kBatch> answers_;  // of the next kernel files on the list, in its order
  std::size_t answered_ = 0, used_ = 0;
};

}  // namespace pollux
