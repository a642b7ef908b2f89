// fd_table.h - FdTable: descriptor numbers to files; lowest free first, dup, close-on-exec.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "epoll/file.h"
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

// Process-wide. Numbers are dense from 0 in a space of their own, up to the configured capacity;
// lookups take no lock. Each number holds one reference.
class FdTable {
 public:
  explicit FdTable(std::uint32_t capacity);

  // Installs `file` (taking over the caller's reference) at the lowest free number at or above `from`.
  // EMFILE when there is none; the reference stays the caller's then. EINVAL: from out of range.
  Result<int> install(File* file, bool close_on_exec, int from = 0);
  // Replaces what `number` refers to, if anything (dup2). EBADF: number out of range.
  Result<void> install_at(File* file, bool close_on_exec, int number);
  // EBADF if not open. Drops the number's reference, so it may end the file.
  Result<void> close(int number);
  // With a reference; empty: EBADF.
  FileRef get(int number) const;
  // Without a reference: valid only while the caller has entered the file's stack and rechecked with
  // another peek() that the number still refers to it. Null: EBADF.
  File* peek(int number) const;
  Result<bool> close_on_exec(int number) const;
  Result<void> set_close_on_exec(int number, bool value);
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t used() const;

 private:
  struct Slot {
    std::atomic<File*> file{nullptr};
    std::atomic<bool> close_on_exec{false};
  };
  std::uint32_t capacity_;
  Slot* slots_;  // mmap'd: touched as used
};

}  // namespace pollux
