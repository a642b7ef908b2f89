// data_calls.cc - read to sendmmsg, interposed.
#include <algorithm>
#include <array>

#include "apps/preload/route.h"
#include "apps/preload/undecided.h"

using namespace pollux::preload;

namespace {

constexpr unsigned kMostMessages = 1024;  // Linux: UIO_MAXIOV

// A datagram's address decides whose an undecided socket is, as connect's does.
bool decide_destination(int fd, const void* address, socklen_t length) {
  if (!address || is_inside() || !is_note(owner_of(fd))) return true;
  return decide(fd, Use::to, static_cast<const sockaddr*>(address), length) != Turn::nobodys;
}

// A receiving call: who sleeps in the kernel for a socket that becomes the stack's goes over to it.
template <typename LibcCall, typename StackCall, typename... Arguments>
ssize_t receive(LibcCall libc_call, StackCall stack_call, int fd, Arguments... arguments) {
  if (is_inside() || !is_note(owner_of(fd)))
    return route_blocking(libc_call, stack_call, fd, arguments...);
  const SleepUndecided sleep(true);
  if (turn_of(fd) == Turn::kernels) {
    const ssize_t result = (libc().*libc_call)(fd, arguments...);
    if (result != 0 || turn_of(fd) == Turn::kernels) return result;
  }
  return route_blocking(libc_call, stack_call, fd, arguments...);
}

// Linux: __sys_recvmmsg(). The timeout is looked at after each datagram.
int receive_messages(int fd, mmsghdr* messages, unsigned count, int flags) {
  unsigned done = 0;
  for (; done < std::min(count, kMostMessages); ++done) {
    const int wait = (flags & MSG_WAITFORONE) != 0 && done > 0 ? MSG_DONTWAIT : 0;
    const ssize_t n =
        engine().recvmsg(fd, &messages[done].msg_hdr, (flags & ~MSG_WAITFORONE) | wait);
    if (n < 0) break;
    messages[done].msg_len = static_cast<unsigned>(n);
  }
  return done > 0 || count == 0 ? static_cast<int>(done) : -1;
}

int send_messages(int fd, mmsghdr* messages, unsigned count, int flags) {
  unsigned done = 0;
  for (; done < std::min(count, kMostMessages); ++done) {
    const ssize_t n = engine().sendmsg(fd, &messages[done].msg_hdr, flags);
    if (n < 0) break;
    messages[done].msg_len = static_cast<unsigned>(n);
  }
  return done > 0 || count == 0 ? static_cast<int>(done) : -1;
}

}  // namespace

INTERPOSED ssize_t read(int fd, void* buffer, std::size_t length) {
  return receive(&Libc::read, &Engine::read, fd, buffer, length);
}
INTERPOSED ssize_t readv(int fd, const iovec* vector, int count) {
  return receive(&Libc::readv, &Engine::readv, fd, vector, count);
}
INTERPOSED ssize_t recv(int fd, void* buffer, std::size_t length, int flags) {
  return receive(&Libc::recv, &Engine::recv, fd, buffer, length, flags);
}
INTERPOSED ssize_t recvfrom(int fd, void* buffer, std::size_t length, int flags, sockaddr* from,
                            socklen_t* from_length) {
  return receive(&Libc::recvfrom, &Engine::recvfrom, fd, buffer, length, flags, from, from_length);
}
INTERPOSED ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return receive(&Libc::recvmsg, &Engine::recvmsg, fd, message, flags);
}
INTERPOSED int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const SleepUndecided sleep(!is_inside() && is_note(owner_of(fd)));
  if (turn_of(fd) == Turn::kernels) {
    const int result = libc().recvmmsg(fd, messages, count, flags, timeout);
    if (turn_of(fd) == Turn::kernels) return result;
  }
  if (turn_of(fd) == Turn::nobodys) return -1;
  return blocking([=] { return receive_messages(fd, messages, count, flags); });
}

INTERPOSED ssize_t write(int fd, const void* buffer, std::size_t length) {
  return route_blocking(&Libc::write, &Engine::write, fd, buffer, length);
}
INTERPOSED ssize_t writev(int fd, const iovec* vector, int count) {
  return route_blocking(&Libc::writev, &Engine::writev, fd, vector, count);
}
INTERPOSED ssize_t send(int fd, const void* buffer, std::size_t length, int flags) {
  return route_blocking(&Libc::send, &Engine::send, fd, buffer, length, flags);
}
INTERPOSED ssize_t sendto(int fd, const void* buffer, std::size_t length, int flags,
                          const sockaddr* to, socklen_t to_length) {
  if (!decide_destination(fd, to, to_length)) return -1;
  return route_blocking(&Libc::sendto, &Engine::sendto, fd, buffer, length, flags, to, to_length);
}
INTERPOSED ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (message && !decide_destination(fd, message->msg_name, message->msg_namelen)) return -1;
  return route_blocking(&Libc::sendmsg, &Engine::sendmsg, fd, message, flags);
}
INTERPOSED int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  const msghdr* const first = messages && count > 0 ? &messages->msg_hdr : nullptr;
  if (first && !decide_destination(fd, first->msg_name, first->msg_namelen)) return -1;
  const Turn turn = turn_of(fd);
  if (turn == Turn::kernels) return libc().sendmmsg(fd, messages, count, flags);
  if (turn == Turn::nobodys) return -1;
  return blocking([=] { return send_messages(fd, messages, count, flags); });
}

// Sockets and sets have no place to seek to.
INTERPOSED ssize_t pread(int fd, void* buffer, std::size_t length, off_t offset) {
  return refuse_blocking(ESPIPE, &Libc::pread, fd, buffer, length, offset);
}
INTERPOSED ssize_t pwrite(int fd, const void* buffer, std::size_t length, off_t offset) {
  return refuse_blocking(ESPIPE, &Libc::pwrite, fd, buffer, length, offset);
}
INTERPOSED ssize_t preadv(int fd, const iovec* vector, int count, off_t offset) {
  return refuse_blocking(ESPIPE, &Libc::preadv, fd, vector, count, offset);
}
INTERPOSED ssize_t pwritev(int fd, const iovec* vector, int count, off_t offset) {
  return refuse_blocking(ESPIPE, &Libc::pwritev, fd, vector, count, offset);
}
// At -1 they are readv and writev.
INTERPOSED ssize_t preadv2(int fd, const iovec* vector, int count, off_t offset, int flags) {
  if (offset == -1 && flags == 0) return readv(fd, vector, count);
  return refuse_blocking(ESPIPE, &Libc::preadv2, fd, vector, count, offset, flags);
}
INTERPOSED ssize_t pwritev2(int fd, const iovec* vector, int count, off_t offset, int flags) {
  if (offset == -1 && flags == 0) return writev(fd, vector, count);
  return refuse_blocking(ESPIPE, &Libc::pwritev2, fd, vector, count, offset, flags);
}
