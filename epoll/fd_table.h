// fd_table.h - FdTable: descriptor numbers to files; lowest free first, dup, close-on-exec.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "epoll/file.h"
#include "epoll/free_numbers.h"
#include "stack/base/entry.h"
#include "stack/base/result.h"

namespace pollux {

// A reference to a File for the duration of a call.
class FileRef {
 public:
  FileRef() = default;
  explicit FileRef(File* file) : file_(file) {}  // takes over one reference
  FileRef(FileRef&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  FileRef& operator=(FileRef&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~FileRef() {
    if (file_) file_->put();
  }
  explicit operator bool() const { return file_ != nullptr; }
  File* operator->() const { return file_; }
  File& operator*() const { return *file_; }
  File* get() const { return file_; }

 private:
  File* file_ = nullptr;
};

// Numbers that somebody else gives out: the kernel's, each held open there by a placeholder, when
// programs that know nothing of Pollux use it. The table then only says which are Pollux's.
struct ForeignNumbers {
  int (*take)() = nullptr;           // a number for a file to come; -1 and errno: there is none
  void (*give_back)(int) = nullptr;  // nothing refers to it any more
};

// Process-wide. Numbers are dense from 0 in a space of their own, up to the configured capacity;
// lookups take no lock. Each number holds one reference.
class FdTable {
 public:
  // `foreign` without take(): the numbers are the table's own.
  explicit FdTable(std::uint32_t capacity, ForeignNumbers foreign = {});
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;
  ~FdTable();  // lets go of nothing: close what is open before

  // Installs `file` (taking over the caller's reference) at the lowest free number at or above
  // `from`. EMFILE when there is none; the reference stays the caller's then. EINVAL: from out of
  // range.
  Result<int> install(File* file, bool close_on_exec, int from = 0);
  // Linux: get_unused_fd_flags(), fd_install(), put_unused_fd(). A number for a file that is yet to
  // come: in use, but EBADF until fill() or cancel(). EMFILE; EINVAL.
  Result<int> reserve(int from = 0);
  void fill(int reserved, File* file, bool close_on_exec);  // takes over the caller's reference
  void cancel(int reserved);
  // Replaces what `number` refers to, if anything (dup2). EBADF: number out of range; EBUSY: it is
  // reserved.
  Result<void> install_at(File* file, bool close_on_exec, int number);
  // EBADF if not open. Drops the number's reference, so it may end the file.
  Result<void> close(int number);
  // The number refers to a foreign file from now on, or to none (it was closed, or replaced by
  // dup2, without this table): as close(), but its giver needs not hear of it.
  Result<void> forget(int number);
  // Whether what the table does not know may be open all the same, and is the kernel's.
  bool has_foreign_numbers() const { return foreign_.take != nullptr; }
  // With a reference; empty: EBADF.
  __attribute__((no_sanitize("vptr"))) FileRef get(int number) const;
  // Without a reference: valid only while the caller has entered the file's stack and rechecked
  // with another peek() that the number still refers to it. Null: EBADF.
  File* peek(int number) const;
  Result<bool> close_on_exec(int number) const;
  Result<void> set_close_on_exec(int number, bool value);
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t used() const { return used_.load(std::memory_order_relaxed); }
  // As large as Linux's table would have grown: select(2) ignores bits beyond it (15.4).
  std::uint32_t table_size() const;

 private:
  struct Slot {
    std::atomic<File*> file{nullptr};
    std::atomic<bool> close_on_exec{false};
  };
  bool is_in_range(int number) const {
    return number >= 0 && static_cast<std::uint32_t>(number) < capacity_;
  }
  static void store(Slot& slot, File* file, bool close_on_exec);
  Result<int> reserve_foreign();
  void take(std::uint32_t number);
  void let_go(std::uint32_t number);
  void note_used(std::uint32_t number, int change);

  std::uint32_t capacity_;
  Slot* slots_;  // mmap'd: touched as used
  const ForeignNumbers foreign_;
  Entry lock_;  // guards changes: free_, used_, highest_ and the filling of slots
  FreeNumbers free_;
  std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint32_t> highest_{0};
};

}  // namespace pollux
