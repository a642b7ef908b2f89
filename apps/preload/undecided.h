// undecided.h - notes of internet sockets that have not said with whom they talk, or sleep until a
// stack runs.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include "apps/preload/preload.h"
#include "apps/preload/rules.h"

// One note for each open socket, however many numbers it has. Each is a kernel socket meanwhile;
// when its address turns out to be the stack's, the note is replayed there and ends.
namespace pollux::preload {

void note_socket(int fd, int domain, int type, int protocol);
void note_option(int fd, int level, int name, const void* value, socklen_t length);
void note_shutdown(int fd, int how);
// epoll_ctl for one of them. A dormant one is not in the kernel's half of a set, where it would be
// an unconnected socket, EPOLLHUP at once and for ever; and it may be shared with a parent.
int control_note(int epfd, int operation, int fd, epoll_event* event);
void forget_watches(int epfd);
void note_duplicate(int fd, int duplicate);
void note_close(int fd);

// A connect that decides. One of a stream that does not block is done before the sets that the
// socket is in hear of it there: an edge that they had for it as unconnected must not come again.
struct Connecting {
  const sockaddr* address;
  socklen_t length;
  bool is_done = false;
  int result = -1;
  int error = 0;  // errno, where result is -1
};

// The address that decides. Kernels: the note is gone, libc is to act; for bind and the stack see
// below. Stacks: the socket is the stack's, which runs. Nobodys: errno says why. `connecting`: to
// that address, if it is a connect.
Turn decide(int fd, Use use, const sockaddr* address, socklen_t length,
            Connecting* connecting = nullptr);
// bind to an address of the stack's, and listen, while no stack runs. 0, or -1 and errno.
int bind_dormant(int fd, const sockaddr* address, socklen_t length);
int listen_dormant(int fd, int backlog);
bool is_dormant(int fd);
// What a dormant socket has been told, while that needs no stack. False: it does.
bool name_dormant(int fd, sockaddr* address, socklen_t* length);
bool is_listening_dormant(int fd);
// Of a number, once no other thread is in the middle of moving it to the stack.
Owner settled_owner(int fd);

// While a thread may sleep in the kernel for a socket that is undecided: counted before it asks
// whose the socket is. When the stack gets a socket of datagrams meanwhile, the sleepers are woken,
// as if it could be read; who reads asks again.
class SleepUndecided {
 public:
  explicit SleepUndecided(bool may_sleep);
  SleepUndecided(const SleepUndecided&) = delete;
  SleepUndecided& operator=(const SleepUndecided&) = delete;
  ~SleepUndecided();

 private:
  const bool may_sleep_;
};

// The stack has just started: every dormant socket is its own now.
void wake_dormant();
// For poll and select, which do not block for one socket: kernels, and `waits` set, while the
// device is another process's.
Turn turn_without_waiting(int fd, bool& waits);
// A thread is about to wait for this set: starts the stack if a dormant socket is in it.
void wake_dormant_in(int epfd);

// Around fork.
void lock_notes();
void unlock_notes();

}  // namespace pollux::preload
