// syscall.cc - libc's syscall(): the same calls by number.
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "apps/preload/calls.h"
#include "apps/preload/preload.h"
#include "apps/preload/route.h"

using namespace pollux::preload;

namespace {

// What an argument register holds, as the parameter it is.
template <typename T>
T as(std::uint64_t word) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(word);
  } else {
    return static_cast<T>(word);
  }
}

template <typename Result, typename... Parameters, std::size_t... I>
long call(Result (*function)(Parameters...), const std::uint64_t* words,
          std::index_sequence<I...>) {
  return static_cast<long>(function(as<Parameters>(words[I])...));
}
template <typename Result, typename... Parameters>
long call(Result (*function)(Parameters...), const std::uint64_t* words) {
  return call(function, words, std::index_sequence_for<Parameters...>());
}
template <typename Result, typename... Parameters>
long call(Result (*function)(Parameters...) noexcept, const std::uint64_t* words) {
  return call(static_cast<Result (*)(Parameters...)>(function), words);
}

// poll's and epoll_pwait's signal mask comes with its size, 8 octets; libc's is longer.
struct KernelMask {
  explicit KernelMask(const void* given) : given_(given) {
    sigemptyset(&mask_);
    if (given) std::memcpy(&mask_, given, 8);
  }
  const sigset_t* get() const { return given_ ? &mask_ : nullptr; }

 private:
  const void* given_;
  sigset_t mask_;
};

long wait_with_mask(long number, const std::uint64_t* w) {
  if (number == SYS_ppoll) {
    const KernelMask mask(as<void*>(w[3]));
    return ppoll(as<pollfd*>(w[0]), w[1], as<timespec*>(w[2]), mask.get());
  }
  const KernelMask mask(as<void*>(w[4]));
  const int epfd = as<int>(w[0]), most = as<int>(w[2]);
  auto* const events = as<epoll_event*>(w[1]);
  if (number == SYS_epoll_pwait) return epoll_pwait(epfd, events, most, as<int>(w[3]), mask.get());
  return epoll_pwait2(epfd, events, most, as<timespec*>(w[3]), mask.get());
}

// pselect6's last argument points at the mask and its size.
long pselect_with_mask(const std::uint64_t* w) {
  const auto* const pair = as<const std::uint64_t*>(w[5]);
  const KernelMask mask(pair ? as<void*>(pair[0]) : nullptr);
  return pselect(as<int>(w[0]), as<fd_set*>(w[1]), as<fd_set*>(w[2]), as<fd_set*>(w[3]),
                 as<timespec*>(w[4]), mask.get());
}

// Of a pread or pwrite by vectors the offset comes in two words; the first holds all of it.
long vectors(long number, const std::uint64_t* w) {
  const int fd = as<int>(w[0]), count = as<int>(w[2]);
  const auto* const vector = as<const iovec*>(w[1]);
  const auto offset = as<off_t>(w[3]);
  const int flags = as<int>(w[5]);
  if (number == SYS_preadv) return preadv(fd, vector, count, offset);
  if (number == SYS_pwritev) return pwritev(fd, vector, count, offset);
  if (number == SYS_preadv2) return preadv2(fd, vector, count, offset, flags);
  return pwritev2(fd, vector, count, offset, flags);
}

class NoCancellation {
 public:
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

#define BY_NAME(name) \
  case SYS_##name:    \
    return call(&::name, words)

long dispatch(long number, const std::uint64_t* words, bool& is_ours) {
  switch (number) {
    BY_NAME(socket);
    BY_NAME(bind);
    BY_NAME(listen);
    BY_NAME(accept);
    BY_NAME(accept4);
    BY_NAME(connect);
    BY_NAME(shutdown);
    BY_NAME(getsockname);
    BY_NAME(getpeername);
    BY_NAME(getsockopt);
    BY_NAME(setsockopt);
    BY_NAME(read);
    BY_NAME(readv);
    BY_NAME(write);
    BY_NAME(writev);
    BY_NAME(recvfrom);
    BY_NAME(recvmsg);
    BY_NAME(recvmmsg);
    BY_NAME(sendto);
    BY_NAME(sendmsg);
    BY_NAME(sendmmsg);
    BY_NAME(sendfile);
    BY_NAME(splice);
    BY_NAME(close);
    BY_NAME(close_range);
    BY_NAME(dup);
    BY_NAME(dup2);
    BY_NAME(dup3);
    BY_NAME(poll);
    BY_NAME(select);
    BY_NAME(epoll_create);
    BY_NAME(epoll_create1);
    BY_NAME(epoll_ctl);
    BY_NAME(epoll_wait);
    case SYS_pread64:
      return call(&::pread, words);
    case SYS_pwrite64:
      return call(&::pwrite, words);
    case SYS_fcntl:
      return fcntl(as<int>(words[0]), as<int>(words[1]), as<void*>(words[2]));
    case SYS_ioctl:
      return ioctl(as<int>(words[0]), words[1], as<void*>(words[2]));
    case SYS_ppoll:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      return wait_with_mask(number, words);
    case SYS_pselect6:
      return pselect_with_mask(words);
    case SYS_preadv:
    case SYS_pwritev:
    case SYS_preadv2:
    case SYS_pwritev2:
      return vectors(number, words);
    default:
      is_ours = false;
      return 0;
  }
}

}  // namespace

// Six words are read, however many are given: AddressSanitizer must not look at where from.
INTERPOSED __attribute__((no_sanitize("address"))) long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  std::uint64_t words[6];
  for (std::uint64_t& word : words) word = va_arg(arguments, std::uint64_t);
  va_end(arguments);
  bool is_ours = !is_inside();
  if (is_ours) {
    const NoCancellation never;  // libc's is no cancellation point
    const long result = dispatch(number, words, is_ours);
    if (is_ours) return result;
  }
  return libc().syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
