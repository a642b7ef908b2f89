// twin.cc - Twin's helpers: descriptors, calls as text, observations.
#include "tests/twin/twin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pollux::twin {
namespace {

constexpr short kEveryBit =
    POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP;

std::string error_name(int error) {
  const char* name = error == 0 ? "0" : strerrorname_np(error);
  return name ? name : std::to_string(error);
}

}  // namespace

sockaddr_in loopback(uint16_t port_in_network_order) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = port_in_network_order;
  return address;
}

std::string to_text(long result) {
  return result == -1 ? "-1 " + error_name(errno) : std::to_string(result);
}

std::string events_to_text(uint32_t events) {
  static constexpr std::array<std::pair<uint32_t, const char*>, 11> kNames = {
      {{EPOLLIN, "IN"},
       {EPOLLPRI, "PRI"},
       {EPOLLOUT, "OUT"},
       {EPOLLERR, "ERR"},
       {EPOLLHUP, "HUP"},
       {0x20, "NVAL"},
       {EPOLLRDNORM, "RDNORM"},
       {EPOLLRDBAND, "RDBAND"},
       {EPOLLWRNORM, "WRNORM"},
       {EPOLLWRBAND, "WRBAND"},
       {EPOLLRDHUP, "RDHUP"}}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if (events & bit) text += (text.empty() ? "" : "|") + std::string(name);
    events &= ~bit;
  }
  if (events) text += "|0x" + std::to_string(events);
  return text.empty() ? "0" : text;
}

Twin::Twin(const Calls& side) : calls(side) {
  pump_ = set();
  const int silent = udp();
  ctl(pump_, EPOLL_CTL_ADD, silent, EPOLLET);
}

Twin::~Twin() {
  for (const int fd : open_) calls.close(fd);
  for (const int fd : kernel_open_) ::close(fd);
}

int Twin::keep(int fd) {
  if (fd >= 0) open_.push_back(fd);
  return fd;
}

int Twin::close(int fd) {
  std::erase(open_, fd);
  return calls.close(fd);
}

void Twin::reset(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
  settle();
}

Listener Twin::listener(int backlog) {
  Listener made{.fd = tcp(), .address = loopback(0)};
  socklen_t length = sizeof made.address;
  calls.bind(made.fd, any(made.address), length);
  calls.listen(made.fd, backlog);
  calls.getsockname(made.fd, reinterpret_cast<sockaddr*>(&made.address), &length);
  return made;
}

int Twin::connecting(const sockaddr_in& address) {
  const int fd = tcp();
  calls.connect(fd, any(address), sizeof address);
  settle();
  return fd;
}

int Twin::accept(const Listener& listener) {
  until(listener.fd, POLLIN);
  return keep(calls.accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK));
}

Pair Twin::pair() {
  const Listener side = listener();
  Pair made{};
  made.active = connecting(side.address);
  made.passive = accept(side);
  until(made.active, POLLOUT);
  close(side.fd);
  if (made.passive < 0) expect("accept() of a helper connection", to_text(-1), "a descriptor");
  return made;
}

int Twin::refused() {
  const Listener gone = listener();
  close(gone.fd);
  const int fd = connecting(gone.address);
  until(fd, POLLHUP);
  return fd;
}

KernelFile Twin::bring_in(int kernel_fd) {
  kernel_open_.push_back(kernel_fd);
  return {.kernel = kernel_fd, .number = keep(calls.kernel_fd(kernel_fd))};
}

KernelFile Twin::event_fd() { return bring_in(::eventfd(0, EFD_NONBLOCK)); }

KernelFile Twin::null_device() { return bring_in(::open("/dev/null", O_RDWR | O_CLOEXEC)); }

std::string Twin::ctl(int set, int operation, int fd, uint32_t events, uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return to_text(calls.epoll_ctl(set, operation, fd, &event));
}

std::string Twin::wait(int set, int maxevents, int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int n = calls.epoll_wait(set, events.data(), maxevents, timeout_ms);
  if (n < 0) return to_text(n);
  std::string text;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    text += text.empty() ? "" : " ";
    text += static_cast<char>(event.data.u64);
    text += ":" + events_to_text(event.events);
  }
  return text.empty() ? "none" : text;
}

std::string Twin::mask(int fd) {
  pollfd entry{.fd = fd, .events = kEveryBit, .revents = 0};
  const int n = calls.poll(&entry, 1, 0);
  return n < 0 ? to_text(n) : events_to_text(static_cast<uint16_t>(entry.revents));
}

std::string Twin::send(int fd, std::string_view text, int flags) {
  const std::string result = to_text(calls.send(fd, text.data(), text.size(), flags));
  settle();
  return result;
}

std::string Twin::receive(int fd, size_t most, int flags) {
  std::array<char, 4096> buffer{};
  const ssize_t n = calls.recv(fd, buffer.data(), std::min(most, buffer.size()), flags);
  if (n < 0) return to_text(n);
  return "\"" + std::string(buffer.data(), static_cast<size_t>(n)) + "\"";
}

std::string Twin::socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  const int result = calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return result < 0 ? to_text(result) : error_name(error);
}

int Twin::set_option(int fd, int level, int name, int value) {
  return calls.setsockopt(fd, level, name, &value, sizeof value);
}

void Twin::fill(int fd) {
  static const std::array<char, 16384> zeros{};
  int refused = 0;
  while (refused < 3) {
    const bool is_full = calls.send(fd, zeros.data(), zeros.size(), MSG_NOSIGNAL) <= 0;
    refused = is_full ? refused + 1 : 0;
    if (is_full) settle();
  }
}

size_t Twin::drain(int fd) {
  std::array<char, 16384> buffer;
  size_t total = 0;
  for (;;) {
    const ssize_t n = calls.recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) return total;
    total += static_cast<size_t>(n);
  }
}

void Twin::settle() {
  epoll_event nothing{};
  if (pump_ >= 0) calls.epoll_wait(pump_, &nothing, 1, 1);
}

bool Twin::until(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  return calls.poll(&entry, 1, 1000) == 1;
}

void Twin::expect(std::string_view label, std::string got, std::string_view wanted) {
  observations_.push_back({std::string(label), std::move(got), std::string(wanted)});
}

void Twin::expect(std::string_view label, long result, long wanted) {
  expect(label, to_text(result), std::to_string(wanted));
}

void shut(Twin& t, int fd, int how) {
  t.calls.shutdown(fd, how);
  t.settle();
}

}  // namespace pollux::twin
