// execute_sets.cc - Runner: epoll, poll and select; files of the kernel's.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "tests/twin/random/execute.h"
#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

std::string words(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& word : list) text += " " + word;
  return text;
}

std::string letters_of(short in, short out, short except) {
  return std::string(in ? "r" : "") + (out ? "w" : "") + (except ? "x" : "");
}

}  // namespace

std::string Runner::execute_beside_sockets(const Op& op) {
  switch (op.call) {
    case Call::epoll_create:
      return store(op.slot, op.c ? calls_.epoll_create(op.a) : calls_.epoll_create1(op.a));
    case Call::epoll_ctl:
      return ctl(op);
    case Call::epoll_wait:
      return wait(op);
    case Call::poll:
      return poll(op);
    case Call::select:
      return select(op);
    case Call::event_fd:
      return adopt(::eventfd(static_cast<unsigned>(op.a), EFD_NONBLOCK), op.slot);
    case Call::event_write:
      return event_write(op);
    case Call::timer_fd:
      return timer_fd(op);
    case Call::pipe:
      return pipe(op);
    default:
      return "?";
  }
}

std::string Runner::ctl(const Op& op) {
  epoll_event event{};
  event.events = op.events;
  event.data.u64 = op.data;
  epoll_event* const pointer = op.b ? nullptr : &event;
  return twin::to_text(calls_.epoll_ctl(number(op.slot), op.a, number(op.other), pointer));
}

std::string Runner::wait(const Op& op) {
  std::array<epoll_event, kAllEvents> events{};
  const int fd = number(op.slot);
  const timespec timeout{.tv_sec = 0, .tv_nsec = op.b * 1'000'000};
  int n = 0;
  if (op.c == 0) n = calls_.epoll_wait(fd, events.data(), op.a, op.b);
  if (op.c == 1) n = calls_.epoll_pwait(fd, events.data(), op.a, op.b, nullptr);
  if (op.c == 2) n = calls_.epoll_pwait2(fd, events.data(), op.a, &timeout, nullptr);
  std::string text = twin::to_text(n);
  if (n <= 0) return text;
  std::vector<std::string> seen;
  for (const epoll_event& event : std::span(events).first(static_cast<size_t>(n))) {
    seen.push_back(std::to_string(event.data.u64) + "=" + events_to_text(event.events));
  }
  if (free_order_) std::ranges::sort(seen);
  return text + ":" + words(seen);
}

std::string Runner::poll(const Op& op) {
  std::vector<pollfd> fds;
  for (const Watch& watch : std::span(op.watches).first(op.watch_count)) {
    fds.push_back(
        {.fd = number(watch.slot), .events = static_cast<short>(watch.events), .revents = 0});
  }
  const timespec at_once{};
  const int n = op.c == 0 ? calls_.poll(fds.data(), fds.size(), 0)
                          : calls_.ppoll(fds.data(), fds.size(), &at_once, nullptr);
  std::string text = twin::to_text(n);
  if (n < 0) return text;
  std::vector<std::string> seen;
  for (const pollfd& fd : fds) {
    seen.push_back(events_to_text(static_cast<uint16_t>(fd.revents)));
  }
  return text + ":" + words(seen);
}

std::string Runner::select(const Op& op) {
  fd_set sets[3];
  for (fd_set& set : sets) FD_ZERO(&set);
  int most = -1;
  const auto watches = std::span(op.watches).first(op.watch_count);
  for (const Watch& watch : watches) {
    const int fd = number(watch.slot);
    if (fd < 0) continue;
    most = std::max(most, fd);
    if (watch.events & EPOLLIN) FD_SET(fd, &sets[0]);
    if (watch.events & EPOLLOUT) FD_SET(fd, &sets[1]);
    if (watch.events & EPOLLPRI) FD_SET(fd, &sets[2]);
  }
  timeval at_once{};
  const timespec also_at_once{};
  const int n =
      op.c == 0 ? calls_.select(most + 1, &sets[0], &sets[1], &sets[2], &at_once)
                : calls_.pselect(most + 1, &sets[0], &sets[1], &sets[2], &also_at_once, nullptr);
  std::string text = twin::to_text(n);
  std::vector<std::string> seen;
  for (const Watch& watch : watches) {
    const int fd = number(watch.slot);
    if (fd < 0) continue;
    seen.push_back(
        "(" + letters_of(FD_ISSET(fd, &sets[0]), FD_ISSET(fd, &sets[1]), FD_ISSET(fd, &sets[2])) +
        ")");
  }
  return text + ":" + words(seen);
}

std::string Runner::event_write(const Op& op) {
  const auto value = static_cast<uint64_t>(op.a);
  const int fd = number(op.slot), kernel = kernel_number(fd);
  return twin::to_text(kernel >= 0 ? ::write(kernel, &value, sizeof value)
                                   : calls_.write(fd, &value, sizeof value));
}

std::string Runner::timer_fd(const Op& op) {
  const int kernel = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const std::string text = adopt(kernel, op.slot);
  itimerspec at{};
  at.it_value.tv_nsec = op.a;
  ::timerfd_settime(kernel, 0, &at, nullptr);
  pollfd expiry{.fd = kernel, .events = POLLIN, .revents = 0};
  if (op.a != 0) ::poll(&expiry, 1, kRestMs);
  return text;
}

std::string Runner::pipe(const Op& op) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_NONBLOCK) != 0) return twin::to_text(-1);
  const std::string text = adopt(ends[0], op.slot);
  return text + ", " + adopt(ends[1], op.other);
}

}  // namespace pollux::twin
