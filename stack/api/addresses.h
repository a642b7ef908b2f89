// addresses.h - addresses that Linux refuses with EFAULT before anything touches them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux {

// False: part of it lies in the kernel's half of the address space. Of the program's own half, what
// is not readable or writable faults, as in any library.
inline bool may_be_users(const void* from, std::size_t octets) {
  constexpr auto kEnd = static_cast<std::uintptr_t>(INTPTR_MAX);
  const auto first = reinterpret_cast<std::uintptr_t>(from);
  return first <= kEnd && octets <= kEnd - first;
}

// EFAULT wherever it has to point at something.
template <typename T>
bool is_bad(const T* pointer) {
  return !pointer || !may_be_users(pointer, sizeof(T));
}

}  // namespace pollux
