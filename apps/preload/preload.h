// preload.h - libpollux-preload.so on one page: whose descriptor is this, and what follows from it.
//
// The library stands before libc and defines every call through which a program reaches a socket or
// waits for one (calls.h is the list). Each asks one question first, one load of a table:
//
//   owner of the number      what the call does
//   kernel       (nearly all) libc's own function, found once by dlsym(RTLD_NEXT). Nothing is kept
//                            of kernel descriptors, so nothing about them can be stale.
//   undecided                an internet socket that has not said with whom it talks. It is one of
//                            the kernel's: libc acts, and what set it up is noted (undecided.h).
//   dormant                  undecided no more: its address is the stack's, but no stack runs yet.
//   stack        a socket    the plx_* call, on the same number
//   kernel_set   an epoll    libc's; its numbers are known, for it may get another half
//   set          an epoll    a kernel epoll with kernel descriptors, and its other half in Pollux
//   lost         in a child  EBADF: it was of the parent's stack (said once)
//   own                      EBADF: Pollux and DPDK have it open; close_range passes it by
//   moving                   its note is being replayed on the stack: who asks waits for the end
//
// Numbers are the kernel's own, lowest first: each is held open by a placeholder, so that
// close_range, FD_CLOEXEC, exec, /proc/self/fd and RLIMIT_NOFILE mean what they always mean. An
// accepted socket's is an eventfd; one made by socket() keeps its kernel socket (unbound,
// unconnected). dup, dup2, dup3 and F_DUPFD act on the placeholder first; what comes out is noted.
// dup2 onto a stack's number: the kernel replaces the placeholder, then Pollux forgets the number.
//
// Whose a socket is, is decided by the first address it names (bind, connect, sendto) and the rules
// that `pollux run` made of the configuration (rules.h). Deciding for the kernel costs nothing:
// the note is dropped. Deciding for the stack replays it: options, address, backlog, sets.
//
// The stack starts lazily, in the process that first needs the wire: connect, accept, sending,
// waiting for a dormant socket. bind and listen do not; so a program that listens and then forks
// works, because notes are plain memory and their placeholders are inherited. libpollux is opened
// with dlopen then: a program without internet sockets pays for neither it nor DPDK. A device may
// be another process's: the stack starts when that ends, and dormant sockets stay so until then,
// never ready (engine.h, waiting.h).
//
// Sets. epoll_create is the kernel's, epoll_ctl for a kernel descriptor too. The first stack socket
// gives the set its other half (plx_adopt_epoll), which delivers the kernel's events beside its
// own. Were every set Pollux's from the start, each kernel descriptor would need an object of ours,
// which goes stale when libc closes it unseen (fclose), and programs without stack sockets would
// pay. So a set of kernel descriptors costs what it did, and one made early keeps all it has; the
// price is a second question in each wait of a set that has both. A thread that sleeps in the
// kernel's epoll_wait when a set gets its other half is woken by a bell (sets.cc).
//
// fork: the child's stack sockets are lost, its sets have their kernel half, its dormant sockets
// are its own to start a stack for: from a copy of libpollux if its parent's runs. vfork is fork: a
// vfork child that closes descriptors would do it in its parent's tables. exec and posix_spawn:
// placeholders go the way of their flags.
//
// Recursion: a thread inside Pollux, or of Pollux's (softirq, DPDK's), is marked; its calls go to
// libc, and descriptors it makes are moved out of the program's way (900 and up, close-on-exec).
//
// Signals: signals.h. Threads that are cancelled: cancel.h. A process that ends, but for SIGKILL
// and crashes, delivers what it sent and closes what is open, as the kernel would.
//
// Known limits. A number that was closed by a system call that nobody sees (assembly, io_uring) is
// the stack's until the kernel gives it out for a socket again. SCM_RIGHTS sends the placeholder.
// libc's own calls (the resolver, daemon()) cannot be interposed: name resolution is the kernel's.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "apps/preload/signals.h"

namespace pollux::preload {

// What the table says of a number; from `first_undecided` on: the index of a note (undecided.h).
enum class Owner : std::uint32_t {
  kernel,
  kernel_set,
  stack,
  set,
  lost,
  own,
  moving,
  first_undecided
};

inline constexpr int kNumbers = 1 << 20;  // fs.nr_open; a number beyond is the kernel's
inline constexpr int kOwnNumbers = 900;   // from here on, what Pollux opens for itself; lower
                                          // only where RLIMIT_NOFILE is
inline std::atomic<Owner> owners[kNumbers];
// No owner but the kernel above this: what walks the table ends here.
inline std::atomic<int> highest_number{-1};

inline Owner owner_of(int fd) {
  if (fd < 0 || fd >= kNumbers) return Owner::kernel;
  return owners[fd].load(std::memory_order_acquire);
}
inline bool is_note(Owner owner) { return owner >= Owner::first_undecided; }
void set_owner(int fd, Owner owner);

// Marks the thread as inside Pollux for the length of a call of it. It cannot be cancelled there:
// its stack would be unwound with the world half changed.
[[gnu::tls_model("initial-exec")]] inline thread_local unsigned depth_inside = 0;
class Inside {
 public:
  Inside() {
    if (depth_inside++ == 0) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  bool was_cancellable() const { return cancel_state_ == PTHREAD_CANCEL_ENABLE; }
  ~Inside() {
    if (--depth_inside != 0) return;
    pthread_setcancelstate(cancel_state_, nullptr);
    if (kept_signals != 0) run_kept_signals();
  }

 private:
  int cancel_state_ = PTHREAD_CANCEL_ENABLE;
};
inline bool is_inside() { return depth_inside != 0; }

// Who is to do a call on `fd`, once a dormant socket has been woken up for it.
enum class Turn : std::uint8_t { kernels, stacks, nobodys };
Turn turn_slowly(int fd, Owner owner);
inline Turn turn_of(int fd) {
  const Owner owner = owner_of(fd);
  if (owner <= Owner::kernel_set || is_inside()) return Turn::kernels;
  if (owner == Owner::stack || owner == Owner::set) return Turn::stacks;
  return turn_slowly(fd, owner);
}

// The kernel has given out a number. What the table has there was closed behind its back; what a
// thread inside Pollux has made is moved to where programs do not count.
int opened(int fd);
// A duplicate out of the program's way, for Pollux alone, close-on-exec. -1: there is no room.
int own_duplicate(int fd);
// False, and EBADF: the program does not know that it is open.
inline bool is_programs(int fd) {
  if (is_inside() || owner_of(fd) != Owner::own) return true;
  errno = EBADF;
  return false;
}
// The number is the kernel's from now on, who has closed or replaced what was there.
void forget(int fd);

// For calls whose other errors come first: a number that is not open instead.
inline int as_shown(int fd) { return !is_inside() && owner_of(fd) == Owner::own ? -1 : fd; }

// A line on standard error, "pollux: " before it.
void say(const char* text, const char* more = "");

}  // namespace pollux::preload
