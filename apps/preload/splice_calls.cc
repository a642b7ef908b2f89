// splice_calls.cc - sendfile, splice and their like, interposed: the kernel moves pages where the
// stack has none, so with a stack's socket octets are copied. Nothing that the other side does not
// take is lost: it stays in the file, the pipe or the receive queue until it has been taken.
#include <limits.h>

#include <algorithm>
#include <array>

#include "apps/preload/route.h"

using namespace pollux::preload;

namespace {

// With the rest of a frame less than 64 KiB, for AddressSanitizer to keep it apart from the stack.
using Chunk = std::array<char, 61440>;
constexpr unsigned kSpliceFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

int fail(int error) {
  errno = error;
  return -1;
}

// Linux: sendfile(2) is no cancellation point.
ssize_t send_octets(int out, const char* octets, std::size_t size) {
  if (!is_enrolled) enroll();
  for (;;) {
    const Restart restart;
    const ssize_t taken = [=] {
      const Inside inside;
      return engine().send(out, octets, size, 0);
    }();
    if (!restart.is_due(taken)) return taken;
  }
}

// Linux: do_sendfile().
ssize_t send_file(int out, int in, off_t* offset, std::size_t count) {
  Chunk chunk;
  off_t at = offset ? *offset : libc().lseek(in, 0, SEEK_CUR);
  if (at < 0) return offset || errno == ESPIPE ? fail(EINVAL) : -1;
  std::size_t sent = 0;
  while (sent < count) {
    const ssize_t n = libc().pread(in, chunk.data(), std::min(chunk.size(), count - sent), at);
    if (n < 0 && sent == 0) return -1;
    if (n <= 0) break;
    const ssize_t taken = send_octets(out, chunk.data(), static_cast<std::size_t>(n));
    if (taken < 0 && sent == 0) return -1;
    if (taken <= 0) break;
    sent += static_cast<std::size_t>(taken);
    at += taken;
    if (taken < n) break;
  }
  if (!offset) libc().lseek(in, at, SEEK_SET);
  if (offset) *offset = at;
  return static_cast<ssize_t>(sent);
}

bool is_pipe(int fd) { return libc().fcntl(fd, F_GETPIPE_SZ) >= 0; }

bool never_waits(int fd, unsigned flags) {
  return (flags & SPLICE_F_NONBLOCK) != 0 || (libc().fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

// What the pipe takes for certain without making us wait. 0, and EAGAIN: nothing.
std::size_t room_in(int pipe) {
  int used = 0;
  if (libc().ioctl(pipe, FIONREAD, &used) == 0 && used == 0) {
    return static_cast<std::size_t>(libc().fcntl(pipe, F_GETPIPE_SZ));
  }
  pollfd fd{pipe, POLLOUT, 0};
  if (libc().poll(&fd, 1, 0) == 1) return PIPE_BUF;
  errno = EAGAIN;
  return 0;
}

// False: EAGAIN or EINTR.
bool await_room(int pipe, unsigned flags) {
  pollfd fd{pipe, POLLOUT, 0};
  if (libc().poll(&fd, 1, never_waits(pipe, flags) ? 0 : -1) == 1) return true;
  if (errno != EINTR) errno = EAGAIN;
  return false;
}

ssize_t receive_octets(int socket, char* octets, std::size_t size, int flags) {
  return blocking([=] { return engine().recv(socket, octets, size, flags); });
}

// Linux: tcp_splice_read(). Whether it waits for octets is the socket's affair, not the flags'.
ssize_t socket_to_pipe(int socket, int pipe, std::size_t length, unsigned flags) {
  Chunk chunk;
  std::size_t moved = 0;
  while (moved < length) {
    if (moved == 0 && !await_room(pipe, flags)) return -1;
    const std::size_t most = std::min({chunk.size(), length - moved, room_in(pipe)});
    if (most == 0) break;
    const int wait = moved == 0 ? 0 : MSG_DONTWAIT;
    const ssize_t n = receive_octets(socket, chunk.data(), most, MSG_PEEK | wait);
    if (n < 0 && moved == 0) return -1;
    if (n <= 0) break;
    const ssize_t taken = libc().write(pipe, chunk.data(), static_cast<std::size_t>(n));
    if (taken < 0) return moved == 0 ? -1 : static_cast<ssize_t>(moved);
    receive_octets(socket, chunk.data(), static_cast<std::size_t>(taken), MSG_DONTWAIT);
    moved += static_cast<std::size_t>(taken);
  }
  return static_cast<ssize_t>(moved);
}

// A pipe of our own: it shows what is in another one without taking it.
struct Copy {
  int ends[2];
};
// Also when the thread is cancelled, where no destructor runs.
void close_copy(void* copy) {
  const Inside inside;
  const int error = errno;
  for (const int end : static_cast<Copy*>(copy)->ends) close(end);
  errno = error;
}

ssize_t look_into(int pipe, const Copy& copy, Chunk& chunk, std::size_t length, bool waits) {
  const unsigned flags = waits ? 0 : SPLICE_F_NONBLOCK;
  const ssize_t n = libc().tee(pipe, copy.ends[1], std::min(length, chunk.size()), flags);
  return n <= 0 ? n : libc().read(copy.ends[0], chunk.data(), static_cast<std::size_t>(n));
}

// Linux: splice_to_socket().
ssize_t send_from(int pipe, const Copy& copy, int socket, std::size_t length, unsigned flags) {
  Chunk chunk;
  const bool may_wait = !never_waits(pipe, flags);
  const int more = (flags & SPLICE_F_MORE) != 0 ? MSG_MORE : 0;
  std::size_t moved = 0;
  while (moved < length) {
    const ssize_t n = look_into(pipe, copy, chunk, length - moved, may_wait && moved == 0);
    if (n < 0 && moved == 0) return -1;
    if (n <= 0) break;
    const ssize_t taken = blocking(
        [&] { return engine().send(socket, chunk.data(), static_cast<std::size_t>(n), more); });
    if (taken < 0 && moved == 0) return -1;
    if (taken <= 0) break;
    static_cast<void>(!libc().read(pipe, chunk.data(), static_cast<std::size_t>(taken)));
    moved += static_cast<std::size_t>(taken);
    if (taken < n) break;
  }
  return static_cast<ssize_t>(moved);
}

ssize_t pipe_to_socket(int pipe, int socket, std::size_t length, unsigned flags) {
  Copy copy;
  {
    const Inside inside;  // its numbers are not the program's
    if (pipe2(copy.ends, O_CLOEXEC) != 0) return -1;
  }
  ssize_t moved;
  pthread_cleanup_push(close_copy, &copy);
  moved = send_from(pipe, copy, socket, length, flags);
  pthread_cleanup_pop(1);
  return moved;
}

// One of the two is the stack's; the other must be a pipe. Linux: do_splice().
ssize_t splice_stacks(int in, off64_t* in_offset, int out, off64_t* out_offset, std::size_t length,
                      unsigned flags) {
  if (length == 0) return 0;
  if ((flags & ~kSpliceFlags) != 0) return fail(EINVAL);
  const bool is_in = turn_of(in) == Turn::stacks;
  const int socket = is_in ? in : out, other = is_in ? out : in;
  const int status = libc().fcntl(other, F_GETFL);
  if (status < 0 || (status & O_ACCMODE) == (is_in ? O_RDONLY : O_WRONLY)) return fail(EBADF);
  if (!is_pipe(other)) return fail(EINVAL);
  if (is_in ? out_offset : in_offset) return fail(ESPIPE);
  if ((is_in ? in_offset : out_offset) || owner_of(socket) != Owner::stack) return fail(EINVAL);
  return is_in ? socket_to_pipe(in, out, length, flags) : pipe_to_socket(in, out, length, flags);
}

}  // namespace

INTERPOSED ssize_t sendfile(int out, int in, off_t* offset, std::size_t count) noexcept {
  if (turn_of(in) != Turn::kernels) return refuse(EINVAL, &Libc::sendfile, in, in, offset, count);
  const Turn turn = turn_of(out);
  if (turn == Turn::kernels) return libc().sendfile(out, in, offset, count);
  return turn == Turn::stacks ? send_file(out, in, offset, count) : -1;
}

INTERPOSED ssize_t splice(int in, off64_t* in_offset, int out, off64_t* out_offset,
                          std::size_t length, unsigned flags) {
  const Turn ins = turn_of(in), outs = turn_of(out);
  if (ins == Turn::nobodys || outs == Turn::nobodys) return -1;
  if (ins == Turn::kernels && outs == Turn::kernels) {
    return libc().splice(in, in_offset, out, out_offset, length, flags);
  }
  pthread_testcancel();
  return splice_stacks(in, in_offset, out, out_offset, length, flags);
}

// From pipe to pipe, from memory to a pipe, from file to file.
INTERPOSED ssize_t tee(int in, int out, std::size_t length, unsigned flags) {
  if (turn_of(out) != Turn::kernels) {
    return refuse_blocking(EINVAL, &Libc::tee, out, in, length, flags);
  }
  return refuse_blocking(EINVAL, &Libc::tee, in, out, length, flags);
}
INTERPOSED ssize_t vmsplice(int fd, const iovec* vector, std::size_t count, unsigned flags) {
  return refuse_blocking(EBADF, &Libc::vmsplice, fd, vector, count, flags);
}
INTERPOSED ssize_t copy_file_range(int in, off64_t* in_offset, int out, off64_t* out_offset,
                                   std::size_t length, unsigned flags) {
  if (turn_of(out) != Turn::kernels) {
    return refuse_blocking(EINVAL, &Libc::vmsplice, out, nullptr, length, flags);
  }
  return refuse_blocking(EINVAL, &Libc::copy_file_range, in, in_offset, out, out_offset, length,
                         flags);
}
