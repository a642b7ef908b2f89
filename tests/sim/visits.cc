// visits.cc - what a visitor and the desk do when they are asked to act.
#include "tests/sim/visits.h"

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

Desk::Desk(Host& host, std::uint16_t port, int backlog, std::size_t answer)
    : host_(host), answer_(answer) {
  const Inside inside(host_.stack());
  listener_ = &make_stream(host);
  CHECK(listener_->bind({host_.address(), port}, inside.now()).ok());
  CHECK(listener_->listen(backlog, inside.now()).ok());
}

Desk::~Desk() {
  for (Session& session : sessions_) session.socket->put();
  listener_->put();
}

void Desk::act() {
  {
    const Inside inside(host_.stack());
    while (const Result<Socket*> accepted = listener_->accept(inside.now())) {
      sessions_.push_back({.socket = *accepted});
    }
    for (Session& session : sessions_) serve(session, inside.now());
  }
  std::erase_if(sessions_, [](Session& session) {
    if (session.is_over) session.socket->put();
    return session.is_over;
  });
}

void Desk::serve(Session& session, Instant now) {
  if (session.asked < kQuestion) {
    session.asked += receive_some(*session.socket, Bytes(scratch()).first(kQuestion), now);
  }
  if (session.asked < kQuestion) return;
  for (std::size_t n = 1; n != 0 && session.told < answer_; session.told += n) {
    n = send_some(*session.socket, answer_ - session.told, now);
  }
  session.is_over = session.told == answer_;
  answered_ += session.is_over ? 1 : 0;
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
  if (asked_ < kQuestion && socket_->poll().has(kOut)) {
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
    if (under.visit->is_answered()) times_.push_back(under.visit->took());
  }
  std::erase_if(visits_, [&](const Under& under) {
    return under.visit->is_answered() || under.until <= now;
  });
}

Duration Visitors::quantile(double q) const {
  if (times_.empty()) return Duration();
  std::vector<Duration> sorted = times_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

}  // namespace pollux::sim
