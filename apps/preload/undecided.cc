// undecided.cc - taking notes, deciding, and replaying them on the stack.
#include "apps/preload/undecided.h"

#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/route.h"
#include "apps/preload/sets.h"

namespace pollux::preload {
namespace {

struct Option {
  int level, name;
  std::vector<char> value;
};
struct Watch {
  int epfd, number;
  epoll_event event;
};
struct Note {
  int domain, type, protocol;
  std::vector<int> numbers;
  std::vector<Option> options;
  std::vector<int> shutdowns;
  std::vector<Watch> watches;
  std::vector<char> bound;  // a sockaddr of the stack's; empty: none
  int backlog = -1;         // -1: does not listen
  bool is_dormant = false;
};

// Never destroyed: other threads may still run while the process ends.
struct Notes {
  std::mutex mutex;
  std::vector<std::unique_ptr<Note>> all;
  std::atomic<int> dormant{0};
};
Notes& notes() {
  static Notes& instance = *std::make_unique<Notes>().release();
  return instance;
}

std::size_t index_of(Owner owner) {
  return static_cast<std::size_t>(owner) - static_cast<std::size_t>(Owner::first_undecided);
}
Owner owner_at(std::size_t index) {
  return static_cast<Owner>(index + static_cast<std::size_t>(Owner::first_undecided));
}

// The mutex is held. Null: none, or no longer.
Note* note_of(int fd) {
  const Owner owner = owner_of(fd);
  return is_note(owner) ? notes().all[index_of(owner)].get() : nullptr;
}

// The mutex is held. `owner`: of its numbers from now on.
std::unique_ptr<Note> take_out(Note& note, Owner owner) {
  std::unique_ptr<Note>& slot = notes().all[index_of(owner_of(note.numbers.front()))];
  if (note.is_dormant) --notes().dormant;
  for (const int number : note.numbers) set_owner(number, owner);
  return std::move(slot);
}

sockaddr* address_in(std::vector<char>& bytes) { return reinterpret_cast<sockaddr*>(bytes.data()); }

// From the kernel's half of the sets, or back to it.
void control_watches(const Note& note, int operation) {
  for (Watch watch : note.watches) {
    control_kernels(watch.epfd, operation, watch.number, &watch.event);
  }
}

void make_dormant(Note& note) {
  if (note.is_dormant) return;
  control_watches(note, EPOLL_CTL_DEL);
  note.is_dormant = true;
  ++notes().dormant;
}

// The stack runs.
void replay_watches(const Note& note) {
  if (!note.is_dormant) control_watches(note, EPOLL_CTL_DEL);
  for (Watch watch : note.watches) {
    control_stacks(watch.epfd, EPOLL_CTL_ADD, watch.number, &watch.event);
  }
}

// What the program was told has worked already, so a failure can only be said.
void replay_address(int fd, Note& note) {
  const auto length = static_cast<socklen_t>(note.bound.size());
  if (length != 0 && engine().bind(fd, address_in(note.bound), length) != 0) {
    say("an address that was bound before the stack started cannot be had: ", strerror(errno));
  }
  if (note.backlog >= 0 && engine().listen(fd, note.backlog) != 0) {
    say("a socket cannot listen on the stack: ", strerror(errno));
  }
}

void connect_now(int fd, Connecting& connecting) {
  connecting.result = engine().connect(fd, connecting.address, connecting.length);
  connecting.error = errno;
  connecting.is_done = true;
}

// The stack runs; nothing is locked. The kernel's socket stays as the placeholder. `connecting`:
// null where it is no connect.
bool replay(Note& note, Connecting* connecting) {
  const int fd = note.numbers.front();
  const Inside inside;
  const bool is_non_blocking = (libc().fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
  {
    const OfferedNumber offered(fd);
    const int type = note.type | (is_non_blocking ? SOCK_NONBLOCK : 0);
    if (engine().socket(note.domain, type, note.protocol) != fd) return false;
  }
  for (const Option& option : note.options) {
    engine().setsockopt(fd, option.level, option.name, option.value.data(),
                        static_cast<socklen_t>(option.value.size()));
  }
  for (const int how : note.shutdowns) engine().shutdown(fd, how);
  replay_address(fd, note);
  for (const int number : std::span(note.numbers).subspan(1)) {
    const OfferedNumber offered(number);
    engine().fcntl(fd, F_DUPFD, 0);
  }
  const bool is_stream = (note.type & 0xf) == SOCK_STREAM;
  if (connecting && is_stream && is_non_blocking) connect_now(fd, *connecting);
  replay_watches(note);
  return true;
}

std::atomic<int> undecided_sleepers{0};

// Linux: udp_recvmsg() of a socket that nobody has bound yet waits; then somebody sends with it.
void wake_sleepers(const Note& note) {
  if (undecided_sleepers != 0 && note.type == SOCK_DGRAM)
    libc().shutdown(note.numbers.front(), SHUT_RD);
}

// The stack runs. False: somebody was faster, or the stack has no room (errno).
bool become_stacks(int fd, Connecting* connecting = nullptr) {
  std::unique_ptr<Note> note;
  {
    const std::lock_guard lock(notes().mutex);
    Note* const found = note_of(fd);
    if (found) note = take_out(*found, Owner::moving);
  }
  if (!note) return settled_owner(fd) == Owner::stack;
  const bool is_moved = replay(*note, connecting);
  for (const int number : note->numbers) set_owner(number, is_moved ? Owner::stack : Owner::kernel);
  if (is_moved) wake_sleepers(*note);
  return is_moved;
}

// A device is another process's: sleeps until that has ended. False: the socket has a timeout and
// it is over, or a signal.
bool await_engine(int fd, int timeout_option) {
  timeval limit{};
  socklen_t length = sizeof limit;
  libc().getsockopt(fd, SOL_SOCKET, timeout_option, &limit, &length);
  const timespec timeout{limit.tv_sec, limit.tv_usec * 1000};
  const bool has_timeout = limit.tv_sec != 0 || limit.tv_usec != 0;
  for (;;) {
    const Restart restart;
    pollfd end{.fd = waiting_bell(), .events = POLLIN, .revents = 0};
    const int result = libc().ppoll(&end, 1, has_timeout ? &timeout : nullptr, nullptr);
    if (result == 0) errno = EAGAIN;
    if (result >= 0) return result > 0;
    if (!restart.is_due(result)) return false;
  }
}

// For a call that would block: waits, unless the socket is not to block, with EAGAIN where that is
// an answer (accept), else ENETDOWN (connect).
Turn to_stack(int fd, int timeout_option, Connecting* connecting = nullptr) {
  if (!start_engine() && engine_waits()) {
    const bool may_block = (libc().fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    if (!may_block) errno = timeout_option == SO_RCVTIMEO ? EAGAIN : ENETDOWN;
    if (!may_block || !await_engine(fd, timeout_option)) return Turn::nobodys;
  }
  if (!start_engine()) return Turn::nobodys;
  return become_stacks(fd, connecting) ? Turn::stacks : Turn::nobodys;
}

// Linux: do_epoll_ctl(), for what the kernel does not get to see.
int error_of(int operation, const Watch* watch, const epoll_event* event) {
  constexpr std::uint32_t kBesideExclusive =
      EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
  if (operation == EPOLL_CTL_DEL) return watch ? 0 : ENOENT;
  if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD) return EINVAL;
  if (!event) return EFAULT;
  const bool is_exclusive = (event->events & EPOLLEXCLUSIVE) != 0;
  if (is_exclusive && (operation == EPOLL_CTL_MOD || (event->events & ~kBesideExclusive) != 0)) {
    return EINVAL;
  }
  if (operation == EPOLL_CTL_ADD) return watch ? EEXIST : 0;
  if (!watch) return ENOENT;
  return (watch->event.events & EPOLLEXCLUSIVE) != 0 ? EINVAL : 0;
}

bool has_option(const Note& note, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  libc().getsockopt(note.numbers.front(), SOL_SOCKET, name, &value, &length);
  return value != 0;
}

// Of the same family; a port of 0 is a wish for any.
bool may_meet(const std::vector<char>& one, const std::vector<char>& other) {
  sockaddr_in a{}, b{};
  std::memcpy(&a, one.data(), std::min(one.size(), sizeof a));
  std::memcpy(&b, other.data(), std::min(other.size(), sizeof b));
  if (a.sin_port != b.sin_port || a.sin_port == 0 || a.sin_family != b.sin_family) return false;
  if (a.sin_family == AF_INET6) return one == other;
  return a.sin_addr.s_addr == b.sin_addr.s_addr || a.sin_addr.s_addr == INADDR_ANY ||
         b.sin_addr.s_addr == INADDR_ANY;
}

// Linux: inet_csk_get_port(), for sockets that no stack knows yet. The mutex is held.
bool is_in_use(const Note& note, const std::vector<char>& wanted) {
  for (const auto& other : notes().all) {
    if (!other || other.get() == &note || other->type != note.type) continue;
    if (other->bound.empty() || !may_meet(wanted, other->bound)) continue;
    const auto both_have = [&](int name) {
      return has_option(note, name) && has_option(*other, name);
    };
    const bool may_reuse = both_have(SO_REUSEADDR) && other->backlog < 0;
    if (!may_reuse && !both_have(SO_REUSEPORT)) return true;
  }
  return false;
}

// A socket that was bound for the stack in vain: to any address, and then it talks to the kernel's.
bool bind_to_kernel(Note& note) {
  if (note.bound.empty()) return true;
  const auto length = static_cast<socklen_t>(note.bound.size());
  return libc().bind(note.numbers.front(), address_in(note.bound), length) == 0;
}

}  // namespace

void note_socket(int fd, int domain, int type, int protocol) {
  auto note = std::make_unique<Note>(Note{.domain = domain, .type = type, .protocol = protocol});
  note->numbers = {fd};
  const std::lock_guard lock(notes().mutex);
  auto& all = notes().all;
  auto slot = std::find(all.begin(), all.end(), nullptr);
  if (slot == all.end()) slot = all.emplace(all.end());
  *slot = std::move(note);
  set_owner(fd, owner_at(static_cast<std::size_t>(slot - all.begin())));
}

void note_option(int fd, int level, int name, const void* value, socklen_t length) {
  const std::lock_guard lock(notes().mutex);
  const auto* bytes = static_cast<const char*>(value);
  if (Note* note = note_of(fd)) note->options.push_back({level, name, {bytes, bytes + length}});
}

void note_shutdown(int fd, int how) {
  const std::lock_guard lock(notes().mutex);
  if (Note* note = note_of(fd)) note->shutdowns.push_back(how);
}

int control_note(int epfd, int operation, int fd, epoll_event* event) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  const bool is_set = owner_of(epfd) == Owner::kernel_set || owner_of(epfd) == Owner::set;
  const auto is_it = [=](const Watch& watch) { return watch.epfd == epfd && watch.number == fd; };
  int result = 0;
  if (note && note->is_dormant && is_set) {
    const auto watch = std::find_if(note->watches.begin(), note->watches.end(), is_it);
    const int error = error_of(operation, watch == note->watches.end() ? nullptr : &*watch, event);
    if (error != 0) errno = error;
    if (error != 0) result = -1;
  } else {
    result = control_kernels(epfd, operation, fd, event);
  }
  if (result != 0 || !note) return result;
  std::erase_if(note->watches, is_it);
  if (operation != EPOLL_CTL_DEL) note->watches.push_back({epfd, fd, *event});
  return 0;
}

void forget_watches(int epfd) {
  const std::lock_guard lock(notes().mutex);
  for (const auto& note : notes().all) {
    if (note) std::erase_if(note->watches, [=](const Watch& watch) { return watch.epfd == epfd; });
  }
}

void note_duplicate(int fd, int duplicate) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note) return;
  note->numbers.push_back(duplicate);
  set_owner(duplicate, owner_of(fd));
}

void note_close(int fd) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note) return;
  if (note->numbers.size() == 1) {
    take_out(*note, Owner::kernel);
    return;
  }
  std::erase(note->numbers, fd);
  set_owner(fd, Owner::kernel);
}

Turn decide(int fd, Use use, const sockaddr* address, socklen_t length, Connecting* connecting) {
  if (!address || length < sizeof(sa_family_t) || address->sa_family == AF_UNSPEC) {
    return Turn::kernels;  // nothing is decided by it
  }
  if (is_stacks(use, address, length)) return to_stack(fd, SO_SNDTIMEO, connecting);
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note) return Turn::kernels;
  if (!bind_to_kernel(*note)) return Turn::nobodys;
  if (note->is_dormant) control_watches(*note, EPOLL_CTL_ADD);
  take_out(*note, Owner::kernel);
  return Turn::kernels;
}

int bind_dormant(int fd, const sockaddr* address, socklen_t length) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note || !note->bound.empty()) {
    errno = EINVAL;  // bound already
    return -1;
  }
  const auto* bytes = reinterpret_cast<const char*>(address);
  const std::vector<char> wanted(bytes, bytes + length);
  if (is_in_use(*note, wanted)) {
    errno = EADDRINUSE;
    return -1;
  }
  note->bound = wanted;
  make_dormant(*note);
  return 0;
}

int listen_dormant(int fd, int backlog) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note || (note->type & 0xf) != SOCK_STREAM) {
    errno = EOPNOTSUPP;
    return -1;
  }
  note->backlog = std::max(backlog, 0);
  make_dormant(*note);
  return 0;
}

bool is_dormant(int fd) {
  if (notes().dormant == 0) return false;
  const std::lock_guard lock(notes().mutex);
  const Note* const note = note_of(fd);
  return note && note->is_dormant;
}

void wake_dormant() {
  while (notes().dormant != 0) {
    int fd = -1;
    {
      const std::lock_guard lock(notes().mutex);
      for (const auto& note : notes().all) {
        if (note && note->is_dormant) fd = note->numbers.front();
      }
    }
    if (fd >= 0) become_stacks(fd);
  }
}

void wake_dormant_in(int epfd) {
  if (notes().dormant == 0) return;
  bool is_wanted = false;
  {
    const std::lock_guard lock(notes().mutex);
    for (const auto& note : notes().all) {
      if (!note || !note->is_dormant) continue;
      for (const Watch& watch : note->watches) is_wanted |= watch.epfd == epfd;
    }
  }
  if (is_wanted) start_engine();
}

Turn turn_slowly(int fd, Owner owner) {
  if (is_note(owner)) return is_dormant(fd) ? to_stack(fd, SO_RCVTIMEO) : Turn::kernels;
  if (owner == Owner::moving) {
    return settled_owner(fd) == Owner::stack ? Turn::stacks : Turn::kernels;
  }
  static std::atomic<bool> is_said{false};
  if (owner == Owner::lost && !is_said.exchange(true)) {
    say("this process was forked: its parent's sockets are the parent's and answer EBADF here");
  }
  errno = EBADF;
  return Turn::nobodys;
}

Turn turn_without_waiting(int fd, bool& waits) {
  if (is_inside() || !is_dormant(fd)) return turn_of(fd);
  if (start_engine()) return turn_of(fd);
  waits |= engine_waits();
  return Turn::kernels;
}

bool name_dormant(int fd, sockaddr* address, socklen_t* length) {
  const std::lock_guard lock(notes().mutex);
  Note* const note = note_of(fd);
  if (!note || !note->is_dormant || note->bound.size() < sizeof(sockaddr_in)) return false;
  sockaddr_in bound;  // the port is where it is in a sockaddr_in6
  std::memcpy(&bound, note->bound.data(), sizeof bound);
  if (bound.sin_port == 0) return false;
  const std::size_t room = std::min<std::size_t>(*length, note->bound.size());
  std::memcpy(address, note->bound.data(), room);
  *length = static_cast<socklen_t>(note->bound.size());
  return true;
}

bool is_listening_dormant(int fd) {
  const std::lock_guard lock(notes().mutex);
  const Note* const note = note_of(fd);
  return note && note->is_dormant && note->backlog >= 0;
}

Owner settled_owner(int fd) {
  while (owner_of(fd) == Owner::moving) sched_yield();
  return owner_of(fd);
}

SleepUndecided::SleepUndecided(bool may_sleep) : may_sleep_(may_sleep) {
  if (may_sleep_) ++undecided_sleepers;
}
SleepUndecided::~SleepUndecided() {
  if (may_sleep_) --undecided_sleepers;
}

void lock_notes() { notes().mutex.lock(); }
void unlock_notes() { notes().mutex.unlock(); }

}  // namespace pollux::preload
