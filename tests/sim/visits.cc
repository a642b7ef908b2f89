// visits.cc - what a visitor and the desk do when they are asked to act.
#include "tests/sim/visits.h"
#include "tests/support/look_only.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "stack/base/check.h"
#include "stack/core/inside.h"

namespace pollux::sim {
namespace {

constexpr std::size_t kMostAtOnce = 16384;
constexpr int kBacklog = 4096;

std::array<std::byte, kMostAtOnce>& scratch() {
  static std::array<std::byte, kMostAtOnce> octets;
  return octets;
}

}  // namespace

Socket& make_stream(Host& host) {
  const Result<Socket*> made =
      create_socket(host.stack().world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
  CHECK(made.ok());
  return **made;
}

std::size_t receive_some(Socket& socket, Bytes to, Instant now) {
  iovec vector{.iov_base = to.data(), .iov_len = to.size()};
  ReceiveMessage message{.vector = {&vector, 1}, .length = to.size(), .flags = MSG_DONTWAIT};
  const Result<std::size_t> got = socket.receive(message, now);
  return got.ok() ? *got : 0;
}

std::size_t send_some(Socket& socket, std::size_t octets, Instant now) {
  const std::size_t length = std::min(octets, kMostAtOnce);
  const iovec vector{.iov_base = scratch().data(), .iov_len = length};
  const SendMessage message{.vector = {&vector, 1},
                            .length = length,
                            .flags = MSG_NOSIGNAL,
                            .to = nullptr,
                            .control = {}};
  const Result<std::size_t> sent = socket.send(message, now);
  return sent.ok() ? *sent : 0;
}

std::uint64_t resident_octets() {
  unsigned long all = 0, resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  CHECK(file != nullptr);
  CHECK(std::fscanf(file, "%lu %lu", &all, &resident) == 2);
  std::fclose(file);
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Desk::Desk(Host& host, std::uint16_t port, std::size_t answer, SimClock& clock)
    : host_(host), clock_(clock), answer_(answer) {
  const Result<EventPoll*> set = EventPoll::create();
  CHECK(set.ok());
  set_ = *set;
  {
    const Inside inside(host_.stack());
    listener_ = &make_stream(host);
    CHECK(listener_->bind({host_.address(), port}, inside.now()).ok());
    CHECK(listener_->listen(kBacklog, inside.now()).ok());
  }
  watch(*listener_, EPOLL_CTL_ADD, EPOLLIN, 0);
}

Desk::~Desk() {
  for (auto& [number, session] : sessions_) session.socket->put();
  listener_->put();
  set_->put();
}

void Desk::watch(Socket& socket, int operation, std::uint32_t events, std::uint64_t number) {
  epoll_event event{.events = events, .data = {.u64 = number}};
  CHECK(set_->ctl(operation, {&socket, static_cast<int>(number)}, &event).ok());
}

void Desk::act() {
  std::array<epoll_event, 256> events;
  testing_support::LookOnly context(clock_);
  const Result<int> n = set_->wait(events, Instant(), nullptr, context);
  CHECK(n.ok());
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(*n))) {
    event.data.u64 == 0 ? accept_all() : serve(event.data.u64);
  }
}

void Desk::accept_all() {
  for (;;) {
    Socket* socket = nullptr;
    {
      const Inside inside(host_.stack());
      const Result<Socket*> accepted = listener_->accept(inside.now());
      if (!accepted) return;
      socket = *accepted;
    }
    watch(*socket, EPOLL_CTL_ADD, EPOLLIN, next_number_);
    sessions_.emplace(next_number_++, Session{.socket = socket});
  }
}

void Desk::serve(std::uint64_t number) {
  Session& session = sessions_.at(number);
  const std::size_t asked_before = session.asked;
  {
    const Inside inside(host_.stack());
    const Bytes room = Bytes(scratch()).first(kQuestion - session.asked);
    session.asked += receive_some(*session.socket, room, inside.now());
    for (std::size_t n = 1; session.asked == kQuestion && n != 0; session.told += n) {
      n = send_some(*session.socket, answer_ - session.told, inside.now());
    }
  }
  if (session.asked == kQuestion && asked_before != kQuestion) {
    watch(*session.socket, EPOLL_CTL_MOD, EPOLLOUT, number);
  }
  if (session.told != answer_) return;
  ++answered_;
  session.socket->put();
  sessions_.erase(number);
}

Visit::Visit(Host& host, const Endpoint& desk, std::size_t answer) : host_(host), answer_(answer) {
  const Inside inside(host_.stack());
  socket_ = &make_stream(host);
  since_ = inside.now();
  const Result<void> connected = socket_->connect(desk, since_);
  CHECK(!connected.ok() && connected.error() == Errno::in_progress);
}

Visit::~Visit() { socket_->put(); }

void Visit::act() {
  const Inside inside(host_.stack());
  const bool is_connected = asked_ < kQuestion && socket_->poll().has(kOut);
  if (is_connected && asked_ == 0) connected_in_ = inside.now() - since_;
  if (is_connected) {
    asked_ += send_some(*socket_, kQuestion - asked_, inside.now());
  }
  for (std::size_t n = 1; n != 0 && told_ < answer_; told_ += n) {
    const std::size_t most = std::min(kMostAtOnce, answer_ - told_);
    n = receive_some(*socket_, Bytes(scratch()).first(most), inside.now());
  }
  if (is_answered()) took_ = inside.now() - since_;
}

void Visitors::act(Instant now) {
  for (; next_ <= now; next_ = next_ + pace_.pause, ++begun_) {
    visits_.push_back({std::make_unique<Visit>(host_, desk_, answer_), now + pace_.patience});
  }
  for (Under& under : visits_) {
    under.visit->act();
    if (!under.visit->is_answered()) continue;
    times_.push_back(under.visit->took());
    connect_times_.push_back(under.visit->connected_in());
  }
  std::erase_if(visits_, [&](const Under& under) {
    return under.visit->is_answered() || under.until <= now;
  });
}

Duration Visitors::quantile_of(std::vector<Duration> times, double q) {
  if (times.empty()) return Duration();
  std::sort(times.begin(), times.end());
  return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))];
}

}  // namespace pollux::sim
