// zeroed_array.h - a fixed array of zeroes whose memory is reserved at start and touched as it is
// used.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <type_traits>

#include "stack/base/check.h"

namespace pollux::tcp {

// T's all-zero octets are its initial value.
template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit ZeroedArray(std::size_t size) : size_(size) {
    CHECK(size > 0);
    void* memory = ::mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    elements_ = static_cast<T*>(memory);
  }
  ZeroedArray(const ZeroedArray&) = delete;
  ZeroedArray& operator=(const ZeroedArray&) = delete;
  ~ZeroedArray() { ::munmap(elements_, size_ * sizeof(T)); }

  T& operator[](std::size_t index) { return elements_[index]; }
  const T& operator[](std::size_t index) const { return elements_[index]; }
  std::size_t size() const { return size_; }

 private:
  T* elements_ = nullptr;
  std::size_t size_;
};

}  // namespace pollux::tcp
