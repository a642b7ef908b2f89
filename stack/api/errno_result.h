// errno_result.h - a Result becomes what a Linux call returns: the value, or -1 and errno.
#pragma once

#include <sys/types.h>

#include <cerrno>

#include "stack/base/result.h"

namespace pollux {

inline int fail(Errno error) {
  errno = static_cast<int>(error);
  return -1;
}
inline int to_return(const Result<void>& result) { return result.ok() ? 0 : fail(result.error()); }
template <typename T>
T to_return(const Result<T>& result) {
  return result.ok() ? *result : static_cast<T>(fail(result.error()));
}
inline ssize_t to_return(const Result<std::size_t>& result) {
  return result.ok() ? static_cast<ssize_t>(*result) : fail(result.error());
}

}  // namespace pollux
