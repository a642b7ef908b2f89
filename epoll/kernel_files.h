// kernel_files.h - KernelFile: a descriptor that the kernel owns, as a File for sets, poll and
// select.
#pragma once

#include <poll.h>

#include <cstdint>
#include <span>

#include "epoll/file.h"
#include "stack/base/result.h"
#include "stack/base/slab_pool.h"

namespace pollux {

// Refers to the caller's descriptor and does not own it: the caller keeps it open as long. Owned by
// its references, in a process-wide pool.
class KernelFile final : public File {
 public:
  static void configure(std::uint32_t capacity, ThreadMode mode);  // by EventPoll::configure()
  // With one reference. EBADF: not open. ENFILE: the pool is exhausted.
  static Result<KernelFile*> create(int kernel_fd);

  PollEvents poll() override;
  void on_last_close() override;
  int kernel_fd() const override { return fd_; }
  bool is_pollable() const override { return pollable_; }

 private:
  friend class SlabPool<KernelFile>;
  KernelFile(int fd, bool pollable, ThreadMode mode)
      : File(FileType::kernel, lock_, nullptr, 0), lock_(mode), fd_(fd), pollable_(pollable) {}

  Entry lock_;
  const int fd_;
  const bool pollable_;
};

// All that poll(2) can be asked for.
inline constexpr short kAnyPollBit =
    POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP;

// poll(2) without waiting; revents are all 0 if it fails.
void ask_kernel_files(std::span<pollfd> fds);

}  // namespace pollux
