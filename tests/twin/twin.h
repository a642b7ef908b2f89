// twin.h - Twin: what a case works with; it makes descriptors, calls one side and notes what it
// saw.
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/twin/calls.h"

namespace pollux::twin {

// One thing that a program can see. `wanted` is the line of epoll-behaviours.md; the kernel's side
// must show it, Pollux's side must show what the kernel's showed.
struct Observation {
  std::string label;
  std::string got;
  std::string wanted;
};

struct Pair {
  int active;   // from connect()
  int passive;  // from accept()
};

struct Listener {
  int fd;
  sockaddr_in address;
};

// A descriptor of the kernel and the number that sets, poll and select of this side know it by.
struct KernelFile {
  int kernel;
  int number;
};

// Lives for one case on one side; closes whatever the case left open. Sockets it makes do not
// block.
class Twin {
 public:
  explicit Twin(const Calls& calls);
  ~Twin();
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;

  const Calls& calls;

  int keep(int fd);  // returns fd; it is closed at the end
  int set() { return keep(calls.epoll_create1(0)); }
  int tcp() { return keep(calls.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)); }
  int udp() { return keep(calls.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)); }
  Listener listener(int backlog = 16);
  Pair pair();                                 // an established connection
  int connecting(const sockaddr_in& address);  // a socket after its first, non-blocking connect()
  int accept(const Listener& listener);
  int refused();                       // a socket whose connect() was refused
  KernelFile bring_in(int kernel_fd);  // closes kernel_fd at the end
  KernelFile event_fd();
  KernelFile null_device();  // a file that cannot be watched
  int close(int fd);         // now, not at the end
  void reset(int fd);        // closes so that the peer gets an RST

  std::string ctl(int set, int operation, int fd, uint32_t events = 0, uint64_t data = 0);
  std::string add(int set, int fd, uint32_t events, uint64_t data) {
    return ctl(set, EPOLL_CTL_ADD, fd, events, data);
  }
  std::string modify(int set, int fd, uint32_t events, uint64_t data) {
    return ctl(set, EPOLL_CTL_MOD, fd, events, data);
  }
  std::string remove(int set, int fd) { return ctl(set, EPOLL_CTL_DEL, fd); }
  // "A:IN|OUT B:IN" in the order of delivery, "none", or "-1 EINVAL"; data is shown as a letter.
  std::string wait(int set, int maxevents = 16, int timeout_ms = 0);
  std::string mask(int fd);  // what poll() says when every bit is asked for: "OUT HUP WRNORM"
  std::string send(int fd, std::string_view text, int flags = MSG_NOSIGNAL);
  std::string receive(int fd, size_t most = 64, int flags = 0);  // the text in quotes, or the errno
  std::string socket_error(int fd);                              // SO_ERROR, by name
  int set_option(int fd, int level, int name, int value);
  void fill(int fd);                 // writes until EAGAIN
  size_t drain(int fd);              // reads until EAGAIN or the end; how many octets
  void settle();                     // lets what is on its way arrive
  bool until(int fd, short events);  // waits at most a second for one of `events`

  void expect(std::string_view label, std::string got, std::string_view wanted);
  void expect(std::string_view label, long result, long wanted);  // with errno if it is -1
  const std::vector<Observation>& observations() const { return observations_; }

 private:
  std::vector<int> open_;
  std::vector<int> kernel_open_;
  int pump_ = -1;  // a set that is never ready: waiting on it only moves the world
  std::vector<Observation> observations_;
};

void shut(Twin& t, int fd, int how);  // shutdown(); the other end knows of it then

inline constexpr uint32_t kInEdge = EPOLLIN | EPOLLET;
inline constexpr int kUnopened = 900;     // a number that no case opens
inline constexpr int kMustComeMs = 5000;  // for what must come; it is over as soon as it has

sockaddr_in loopback(uint16_t port_in_network_order);
inline const sockaddr* any(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}
inline sockaddr* any(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

// An address that no program has: the kernel's half of the address space.
template <typename T>
T* kernel_address() {
  return reinterpret_cast<T*>(~uintptr_t{4095});
}

std::string to_text(long result);  // "3", or "-1 EAGAIN" from errno
std::string events_to_text(uint32_t events);

struct Case {
  const char* number;  // of epoll-behaviours.md
  const char* text;
  void (*run)(Twin&);
  const char* end = "";  // how its process ends, if not by itself: "killed: Terminated"
};

std::span<const Case> model_cases();
std::span<const Case> create_cases();
std::span<const Case> ctl_cases();
std::span<const Case> wait_cases();
std::span<const Case> level_cases();
std::span<const Case> edge_cases();
std::span<const Case> mixed_cases();
std::span<const Case> flood_cases();
std::span<const Case> lifetime_cases();
std::span<const Case> signal_cases();
std::span<const Case> busy_poll_cases();
std::span<const Case> poll_cases();
std::span<const Case> select_cases();
std::span<const Case> tcp_state_cases();
std::span<const Case> tcp_data_cases();
std::span<const Case> tcp_wakeup_cases();
std::span<const Case> udp_cases();
std::span<const Case> waiters_cases();
std::span<const Case> exclusive_cases();
std::span<const Case> nested_cases();
std::span<const Case> close_cases();
std::span<const Case> processes_cases();
std::span<const Case> stop_cases();
std::span<const Case> limits_cases();
std::span<const Case> random_cases();
std::span<const Case> fast_open_cases();

}  // namespace pollux::twin
