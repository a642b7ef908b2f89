// blocking.h - calls on sockets: into the stack, and the waiting that the stack never does.
#pragma once

#include <fcntl.h>

#include <utility>

#include "epoll/fd_table.h"
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
// Closed meanwhile, number and slot may be those of another stack's socket.
template <typename Act>
auto in_socket(int fd, Act&& act) -> decltype(act(std::declval<Socket&>(), Instant())) {
  ASSIGN_OR_RETURN(Socket* const socket, peek_socket(fd));
  Stack& stack = Host::stack_of(*socket);
  Inside inside(stack);
  const bool is_same = host()->fds().peek(fd) == socket && &Host::stack_of(*socket) == &stack;
  if (!is_same) return Errno::bad_descriptor;
  return act(*socket, inside.now());
}

// The socket of a call that takes several turns. It is held from the first one on, because between
// two turns its number may be closed and given to another socket. Let go of with nothing entered.
class HeldSocket {
 public:
  // In the first turn, inside in_socket(). False: its last number is just being closed.
  bool hold(Socket& socket) {
    if (socket.get_unless_zero()) file_ = FileRef(&socket);
    return static_cast<bool>(file_);
  }
  explicit operator bool() const { return static_cast<bool>(file_); }
  Socket& operator*() const { return static_cast<Socket&>(*file_); }
  // Another turn: act(socket, now) inside the socket's stack.
  template <typename Act>
  auto turn(Act&& act) const -> decltype(act(std::declval<Socket&>(), Instant())) {
    Inside inside(host()->stack_of(**this));
    return act(**this, inside.now());
  }
  // Gives the device a chance before a call says EAGAIN: without interrupts nobody else does.
  void poll_once() const { host()->poll_context().poll(file_->napis(), kFirstPollBudget); }

 private:
  FileRef file_;
};

// Between the turns of a call that blocks: what it waits for, and until when.
class Waiter {
 public:
  // `limit` zero: for ever.
  Waiter(const HeldSocket& socket, PollEvents events, Duration limit);
  // Until one of the events, HUP or a pending error. Readiness and the call may disagree (there is
  // room in the send buffer, but no memory to put there): after some turns in vain a wake-up or
  // 10 ms pass before the next, whatever is ready. EAGAIN: the limit has passed. EINTR.
  Result<void> wait();
  void note_progress() { turns_in_vain_ = 0; }

 private:
  Result<void> pause();

  Socket& socket_;
  const PollEvents events_;
  const Instant deadline_;
  unsigned turns_in_vain_ = 0;
};

}  // namespace pollux
