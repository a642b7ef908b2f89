// slab_pool.h - a fixed number of objects of one type; memory reserved at start, touched when used.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "stack/base/check.h"

namespace pollux {

// Objects never move and their memory is never given back before the pool's end. Index-addressable.
// Not thread-safe: it belongs to whoever holds the entry or lock around it.
template <typename T>
class SlabPool {
 public:
  explicit SlabPool(std::uint32_t capacity) : capacity_(capacity) {
    CHECK(capacity > 0);
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    slots_ = static_cast<Slot*>(memory);
  }
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool() { ::munmap(slots_, bytes()); }

  // Null when the pool is exhausted.
  template <typename... Args>
  T* create(Args&&... args) {
    Slot* slot = take();
    if (!slot) return nullptr;
    return new (slot->storage) T(std::forward<Args>(args)...);
  }
  void destroy(T* object) {
    object->~T();
    Slot* slot = reinterpret_cast<Slot*>(object);
    slot->next_free = free_;
    free_ = slot;
    --used_;
  }

  std::uint32_t used() const { return used_; }
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t high_water() const { return fresh_; }  // slots ever used
  T& at(std::uint32_t index) const { return *reinterpret_cast<T*>(slots_[index].storage); }
  std::uint32_t index_of(const T* object) const {
    return static_cast<std::uint32_t>(reinterpret_cast<const Slot*>(object) - slots_);
  }

 private:
  union Slot {
    Slot* next_free;
    alignas(T) std::byte storage[sizeof(T)];
  };
  std::size_t bytes() const { return std::size_t{capacity_} * sizeof(Slot); }
  Slot* take() {
    Slot* slot = free_;
    if (slot) {
      free_ = slot->next_free;
    } else if (fresh_ < capacity_) {
      slot = &slots_[fresh_++];
    } else {
      return nullptr;
    }
    ++used_;
    return slot;
  }

  Slot* slots_ = nullptr;
  Slot* free_ = nullptr;
  std::uint32_t fresh_ = 0;
  std::uint32_t used_ = 0;
  std::uint32_t capacity_;
};

}  // namespace pollux
