// stdio_calls.cc - stdio on a stack's socket: libc's own streams call the kernel past everybody.
#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "apps/preload/route.h"
#include "apps/preload/undecided.h"

using namespace pollux::preload;

namespace {

struct Stream {
  FILE* file;
  int fd;
};
struct Streams {
  std::mutex mutex;
  std::vector<Stream> all;
};
Streams& streams() {
  static Streams& instance = *std::make_unique<Streams>().release();
  return instance;
}

void* cookie_of(int fd) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)); }
int descriptor_of(void* cookie) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(cookie));
}

ssize_t read_stream(void* cookie, char* buffer, std::size_t size) {
  return read(descriptor_of(cookie), buffer, size);
}
// stdio takes less than all for an error.
ssize_t write_stream(void* cookie, const char* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = write(descriptor_of(cookie), buffer + done, size - done);
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}
int close_stream(void* cookie) {
  const int fd = descriptor_of(cookie);
  {
    const std::lock_guard lock(streams().mutex);
    std::erase_if(streams().all, [fd](const Stream& stream) { return stream.fd == fd; });
  }
  return close(fd);
}

FILE* open_stream(int fd, const char* mode) {
  constexpr cookie_io_functions_t kCalls{
      .read = read_stream, .write = write_stream, .seek = nullptr, .close = close_stream};
  FILE* const file = fopencookie(cookie_of(fd), mode, kCalls);
  if (!file) return file;
  const std::lock_guard lock(streams().mutex);
  streams().all.push_back({file, fd});
  return file;
}

}  // namespace

// Also of a socket that is undecided yet: it may be the stack's before the stream is used.
INTERPOSED FILE* fdopen(int fd, const char* mode) noexcept {
  const Owner owner = settled_owner(fd);
  const bool may_be_stacks = owner == Owner::stack || is_note(owner);
  return may_be_stacks ? open_stream(fd, mode) : libc().fdopen(fd, mode);
}

INTERPOSED int fileno(FILE* file) noexcept {
  {
    const std::lock_guard lock(streams().mutex);
    for (const Stream& stream : streams().all) {
      if (stream.file == file) return stream.fd;
    }
  }
  return libc().fileno(file);
}
INTERPOSED int fileno_unlocked(FILE* file) noexcept { return fileno(file); }

// libc's own goes to the kernel.
INTERPOSED int vdprintf(int fd, const char* format, va_list arguments) {
  if (turn_of(fd) == Turn::kernels) return libc().vdprintf(fd, format, arguments);
  char* text = nullptr;
  const int length = vasprintf(&text, format, arguments);
  if (length < 0) return length;
  const ssize_t written = write_stream(cookie_of(fd), text, static_cast<std::size_t>(length));
  std::free(text);
  return written == length ? length : -1;
}
INTERPOSED int dprintf(int fd, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vdprintf(fd, format, arguments);
  va_end(arguments);
  return length;
}
