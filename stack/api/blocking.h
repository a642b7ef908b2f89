// blocking.h - calls on sockets: into the stack, and the waiting that the stack never does.
#pragma once

#include <fcntl.h>

#include <utility>

#include "epoll/poll_select.h"
#include "stack/core/host.h"
#include "stack/core/inside.h"

namespace pollux {

// The socket of a number, without a reference: valid while inside its stack and rechecked there.
// EBADF; ENOTSOCK. Sockets live in pools of their own, so what the slot held stays a socket.
inline Result<Socket*> peek_socket(int fd) {
  Host* host = pollux::host();
  File* file = host ? host->fds().peek(fd) : nullptr;
  if (!file) return Errno::bad_descriptor;
  if (file->type() != FileType::socket) return Errno::not_socket;
  return static_cast<Socket*>(file);
}

// act(socket, now) inside the socket's stack; slot, stack, enter, recheck: no reference is counted.
template <typename Act>
auto in_socket(int fd, Act&& act) -> decltype(act(std::declval<Socket&>(), Instant())) {
  ASSIGN_OR_RETURN(Socket* const socket, peek_socket(fd));
  Inside inside(host()->stack_of(*socket));
  if (host()->fds().peek(fd) != socket) return Errno::bad_descriptor;
  return act(*socket, inside.now());
}

// A call that may block: what it waits for, and until when.
class Waiter {
 public:
  // With a reference for as long as it waits.
  Waiter(int fd, PollEvents events) : file_(host()->fds().get(fd)), events_(events) {}
  explicit operator bool() const { return static_cast<bool>(file_); }
  // `limit` zero: for ever.
  void set_limit(Duration limit) {
    if (limit > Duration()) deadline_ = host()->poll_context().now() + limit;
  }
  // EAGAIN: the limit has passed. EINTR.
  Result<PollEvents> wait() {
    return wait_for(*file_, events_, deadline_, host()->poll_context(), host()->busy_poll());
  }

 private:
  FileRef file_;
  const PollEvents events_;
  Instant deadline_ = Instant::never();
};

// Gives the device a chance before a call says EAGAIN: without interrupts nobody else does.
inline void poll_once(int fd) {
  if (const FileRef file = host()->fds().get(fd)) {
    host()->poll_context().poll(file->napis(), kFirstPollBudget);
  }
}

}  // namespace pollux
