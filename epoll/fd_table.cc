// fd_table.cc - FdTable: a slot per number; one lock for changes, none for lookups.
#include "epoll/fd_table.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>

namespace pollux {

FdTable::FdTable(std::uint32_t capacity, ForeignNumbers foreign)
    : capacity_(capacity),
      foreign_(foreign),
      lock_(ThreadMode::shared),
      free_(foreign.take ? 0 : capacity) {
  CHECK(capacity > 0 && capacity <= INT32_MAX);
  void* memory = ::mmap(nullptr, sizeof(Slot) * capacity, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  slots_ = static_cast<Slot*>(memory);  // all zero: no file, not close-on-exec
}

FdTable::~FdTable() { ::munmap(slots_, sizeof(Slot) * capacity_); }

Result<int> FdTable::install(File* file, bool close_on_exec, int from) {
  ASSIGN_OR_RETURN(const int number, reserve(from));
  fill(number, file, close_on_exec);
  return number;
}

Result<int> FdTable::reserve(int from) {
  if (!is_in_range(from)) return Errno::invalid;
  if (has_foreign_numbers()) return reserve_foreign();
  Entered entered(lock_);
  const std::uint32_t number = free_.lowest_free(static_cast<std::uint32_t>(from));
  if (number >= capacity_) return Errno::process_files;
  take(number);
  return static_cast<int>(number);
}

// A number that is given out cannot be in use: what the table has there was closed behind its back.
Result<int> FdTable::reserve_foreign() {
  const int number = foreign_.take();
  if (number < 0) return static_cast<Errno>(errno);
  if (!is_in_range(number)) {
    foreign_.give_back(number);
    return Errno::process_files;
  }
  static_cast<void>(forget(number));
  Entered entered(lock_);
  take(static_cast<std::uint32_t>(number));
  return number;
}

// Without the lock: nobody else touches the slot of a reserved number.
void FdTable::fill(int reserved, File* file, bool close_on_exec) {
  CHECK(!peek(reserved));
  store(slots_[reserved], file, close_on_exec);
}

void FdTable::cancel(int reserved) {
  CHECK(!peek(reserved));
  {
    Entered entered(lock_);
    let_go(static_cast<std::uint32_t>(reserved));
  }
  if (has_foreign_numbers()) foreign_.give_back(reserved);
}

Result<void> FdTable::install_at(File* file, bool close_on_exec, int number) {
  if (!is_in_range(number)) return Errno::bad_descriptor;
  File* before;
  {
    Entered entered(lock_);
    const auto index = static_cast<std::uint32_t>(number);
    before = slots_[index].file.load(std::memory_order_relaxed);
    if (!before) {
      if (!has_foreign_numbers() && free_.is_taken(index)) return Errno::busy;
      take(index);
    }
    store(slots_[index], file, close_on_exec);
  }
  if (before) before->put();
  return {};
}

// Out of the table before its giver may give the number out again.
Result<void> FdTable::close(int number) {
  RETURN_IF_ERROR(forget(number));
  if (has_foreign_numbers()) foreign_.give_back(number);
  return {};
}

Result<void> FdTable::forget(int number) {
  if (!is_in_range(number)) return Errno::bad_descriptor;
  File* file;
  {
    Entered entered(lock_);
    const auto index = static_cast<std::uint32_t>(number);
    file = slots_[index].file.exchange(nullptr, std::memory_order_acq_rel);
    if (!file) return Errno::bad_descriptor;
    let_go(index);
  }
  file->put();
  return {};
}

// The slot may be emptied, and the file ended, between any two steps; the pool is type-stable, so
// the count is always a count, and the second load tells whether it is still this number's.
FileRef FdTable::get(int number) const {
  if (!is_in_range(number)) return FileRef();
  const std::atomic<File*>& slot = slots_[number].file;
  for (File* file = slot.load(std::memory_order_acquire); file;) {
    if (!file->get_unless_zero()) {
      file = slot.load(std::memory_order_acquire);
      continue;
    }
    FileRef reference(file);
    file = slot.load(std::memory_order_acquire);
    if (file == reference.get()) return reference;
  }
  return FileRef();
}

File* FdTable::peek(int number) const {
  return is_in_range(number) ? slots_[number].file.load(std::memory_order_acquire) : nullptr;
}

Result<bool> FdTable::close_on_exec(int number) const {
  if (!peek(number)) return Errno::bad_descriptor;
  return slots_[number].close_on_exec.load(std::memory_order_relaxed);
}

Result<void> FdTable::set_close_on_exec(int number, bool value) {
  if (!peek(number)) return Errno::bad_descriptor;
  slots_[number].close_on_exec.store(value, std::memory_order_relaxed);
  return {};
}

// Linux: alloc_fdtable(). 64 at first, then powers of two from 128.
std::uint32_t FdTable::table_size() const {
  const std::uint32_t highest = highest_.load(std::memory_order_relaxed);
  const std::uint32_t size = highest < 64 ? 64 : std::bit_ceil(highest / 128 + 1) * 128;
  return size < capacity_ ? size : capacity_;
}

void FdTable::store(Slot& slot, File* file, bool close_on_exec) {
  slot.close_on_exec.store(close_on_exec, std::memory_order_relaxed);
  slot.file.store(file, std::memory_order_release);
}

void FdTable::take(std::uint32_t number) {
  if (!has_foreign_numbers()) free_.take(number);
  note_used(number, +1);
}

void FdTable::let_go(std::uint32_t number) {
  if (!has_foreign_numbers()) {
    CHECK(free_.is_taken(number));
    free_.give_back(number);
  }
  note_used(number, -1);
}

void FdTable::note_used(std::uint32_t number, int change) {
  const std::uint32_t used = used_.load(std::memory_order_relaxed);
  used_.store(used + static_cast<std::uint32_t>(change), std::memory_order_relaxed);
  if (number > highest_.load(std::memory_order_relaxed)) {
    highest_.store(number, std::memory_order_relaxed);
  }
}

}  // namespace pollux
