// program.h - Program: a sequence of calls on slots, plain data that both sides run alike.
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

#include <array>
#include <string>
#include <vector>

namespace pollux::twin {

// A slot is a variable of the program: it holds the number that some call returned, also after that
// number was closed, and the port that its socket was last known by (0: none).
inline constexpr int kSlots = 12;
inline constexpr int kMostWatches = 4;

// What slot, other, a, b, c and d of an Op mean for each call. "variant" picks one of several
// functions that do the same: it is last so that the simplest is 0.
enum class Call : uint8_t {
  socket,      // slot: new. a: 0 TCP, 1 UDP
  bind,        // slot. a: Address, of the slot `other`
  listen,      // slot. a: backlog
  connect,     // slot. a: Address, of the slot `other`
  accept,      // slot. other: new
  send,        // slot. a: octets, b: flags, c: send, write, sendto, sendmsg; d: Address of `other`
  receive,     // slot. a: octets, b: flags, c: recv, read, recvfrom, recvmsg
  shutdown,    // slot. a: how
  close,       // slot
  dup,         // slot. other: new
  dup2,        // slot. other: whose number it goes to
  set_option,  // slot. a: index in kOptions, b: value
  get_option,  // slot. a: index in kOptions
  name,        // slot. a: 0 getsockname, 1 getpeername
  ioctl,       // slot. a: 0 FIONREAD, 1 SIOCATMARK
  epoll_create,  // slot: new. a: flags, c: epoll_create1, epoll_create
  epoll_ctl,  // slot: the set. other: the target; a: operation, b: 1 without an event; events, data
  epoll_wait,   // slot: the set. a: maxevents, b: milliseconds, c: wait, pwait, pwait2
  poll,         // watches. c: poll, ppoll
  select,       // watches: IN, OUT, PRI say which sets. c: select, pselect
  event_fd,     // slot: new. a: initial value
  timer_fd,     // slot: new. a: 0 disarmed, 1 expired
  pipe,         // slot: new, to read from. other: new, to write to
  event_write,  // slot. a: what is added to an eventfd
  fill,         // slot: written until it takes no more
  drain,        // slot: read until there is no more
};
inline constexpr int kCalls = static_cast<int>(Call::drain) + 1;

enum class Address : uint8_t {
  of_slot,           // 127.0.0.1 and the port of the slot
  wildcard_of_slot,  // 0.0.0.0 and the port of the slot
  loopback,          // 127.0.0.1 and port 0
  wildcard,          // 0.0.0.0 and port 0
  closed,            // 127.0.0.1 and a port nobody has
  none,              // AF_UNSPEC
};

struct Watch {
  int32_t slot = 0;
  uint32_t events = 0;
};

struct Op {
  Call call = Call::socket;
  int8_t slot = 0;
  int8_t other = 0;
  int32_t a = 0, b = 0, c = 0, d = 0;
  uint32_t events = 0;
  uint64_t data = 0;  // of epoll_ctl; of send: the first letter
  uint32_t watch_count = 0;
  std::array<Watch, kMostWatches> watches{};
};

struct Option {
  int level, name;
  const char *level_text, *name_text;
};
extern const std::vector<Option> kOptions;

struct Program {
  bool free_order = false;  // rules.h: events of one wait are compared without their order
  std::vector<Op> ops;
};

// The letters of a message.
std::string letters(uint64_t first, int count);

// One call as a line of C, without what it returned.
std::string to_c(const Op& op);
// A whole program that compiles; `notes` has one line for each call, made a comment of.
std::string to_c(const Program& program, const std::vector<std::string>& notes);

}  // namespace pollux::twin
