// kernel_files.cc - KernelFile: whether the kernel would watch it, and what it is ready for now.
#include "epoll/kernel_files.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace pollux {
namespace {

struct Pool {
  Pool(std::uint32_t capacity, ThreadMode m) : mode(m), files(capacity) {}
  ThreadMode mode;
  Entry lock{ThreadMode::shared};
  SlabPool<KernelFile> files;
};
alignas(Pool) std::byte pool_memory[sizeof(Pool)];
Pool* pool = nullptr;

// The kernel's own word: it says EPERM for what has no poll operation (2.4).
bool kernel_would_watch(int fd) {
  const int probe = ::epoll_create1(EPOLL_CLOEXEC);
  if (probe < 0) return true;  // out of descriptors: let the ADD find out
  epoll_event event{};
  const bool refused = ::epoll_ctl(probe, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;
  ::close(probe);
  return !refused;
}

}  // namespace

void KernelFile::configure(std::uint32_t capacity, ThreadMode mode) {
  if (pool) {
    CHECK(pool->files.used() == 0);
    pool->~Pool();
  }
  pool = new (pool_memory) Pool(capacity, mode);
}

Result<KernelFile*> KernelFile::create(int kernel_fd) {
  CHECK(pool);
  if (::fcntl(kernel_fd, F_GETFD) < 0) return Errno::bad_descriptor;
  const bool pollable = kernel_would_watch(kernel_fd);
  Entered entered(pool->lock);
  KernelFile* file = pool->files.create(kernel_fd, pollable, pool->mode);
  if (!file) return Errno::system_files;
  return file;
}

void KernelFile::on_last_close() {
  Entered entered(pool->lock);
  pool->files.destroy(this);
}

PollEvents KernelFile::poll() {
  pollfd fd{fd_, kAnyPollBit, 0};
  ask_kernel_files(std::span(&fd, 1));
  return PollEvents(static_cast<std::uint16_t>(fd.revents));
}

void ask_kernel_files(std::span<pollfd> fds) {
  int answered;
  do {
    answered = ::poll(fds.data(), fds.size(), 0);
  } while (answered < 0 && errno == EINTR);
  if (answered >= 0) return;
  for (pollfd& fd : fds) fd.revents = 0;
}

}  // namespace pollux
