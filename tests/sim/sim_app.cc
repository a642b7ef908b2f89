// sim_app.cc - reads, writes and closes as epoll says, and compares every octet.
#include "tests/sim/sim_app.h"
#include "tests/support/look_only.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>

#include "stack/core/inside.h"

namespace pollux::sim {
namespace {

constexpr std::uint32_t kMaxChunk = 65536;
constexpr std::uint64_t kListenerBit = std::uint64_t{1} << 63;
constexpr std::size_t kMaxEvents = 64;

std::byte octet_at(std::uint16_t port, bool to_server, std::uint64_t offset) {
  const std::uint64_t mixed = (offset + port * 1000003u + (to_server ? 7 : 0)) * 0x9e3779b97f4a7c15;
  return static_cast<std::byte>(mixed >> 56);
}

}  // namespace

void StreamEnd::act(Instant now, Rng& rng) {
  if (finished_) return;
  attention_ = false;
  const bool reads_now = !plan_.slow_reader || rng.chance(0.3);
  if (!reads_now) attention_ = true;
  if (reads_now && receive(now, rng)) attention_ = true;
  if (!finished_ && send(now, rng)) attention_ = true;
  finish_if_done(now);
}

// True: there may be more.
bool StreamEnd::receive(Instant now, Rng& rng) {
  static std::array<std::byte, kMaxChunk> buffer;
  for (int turns = 0; turns < 8 && !heard_all_; ++turns) {
    iovec vector{.iov_base = buffer.data(), .iov_len = 1 + rng.below(plan_.chunk)};
    ReceiveMessage message{.vector = {&vector, 1}, .length = vector.iov_len, .flags = 0};
    const Result<std::size_t> n = socket_->receive(message, now);
    if (!n && n.error() == Errno::again) return false;
    if (!n) {
      fail(n.error(), "receive");
      return false;
    }
    for (std::size_t i = 0; i < *n; ++i) {
      if (buffer[i] == octet_at(plan_.port, !is_client_, received_ + i)) continue;
      complaint_ =
          fmt::format("port {}: octet {} of the stream is wrong", plan_.port, received_ + i);
      finished_ = true;
      return false;
    }
    received_ += *n;
    heard_all_ = *n == 0;
  }
  return !heard_all_;
}

bool StreamEnd::send(Instant now, Rng& rng) {
  static std::array<std::byte, kMaxChunk> buffer;
  for (int turns = 0; turns < 8 && sent_ < to_send(); ++turns) {
    const std::uint64_t size =
        std::min<std::uint64_t>(1 + rng.below(plan_.chunk), to_send() - sent_);
    for (std::uint64_t i = 0; i < size; ++i)
      buffer[i] = octet_at(plan_.port, is_client_, sent_ + i);
    const iovec vector{.iov_base = buffer.data(), .iov_len = size};
    const SendMessage message{.vector = {&vector, 1},
                              .length = size,
                              .flags = MSG_NOSIGNAL,
                              .to = nullptr,
                              .control = {}};
    const Result<std::size_t> n = socket_->send(message, now);
    if (!n && n.error() == Errno::again) return false;
    if (!n) {
      fail(n.error(), "send");
      return false;
    }
    sent_ += *n;
    if (*n < size) return false;
  }
  return sent_ < to_send();
}

void StreamEnd::finish_if_done(Instant now) {
  if (finished_) return;
  if (is_client_ && plan_.client_aborts && sent_ * 2 >= to_send()) {
    finished_ = true;
    return;
  }
  if (!said_all_ && sent_ == to_send()) {
    said_all_ = true;
    if (const Result<void> shut = socket_->shutdown(SHUT_WR, now); !shut)
      fail(shut.error(), "shutdown");
  }
  if (!said_all_ || !heard_all_) return;
  finished_ = true;
  if (received_ != to_receive() && !plan_.client_aborts) {
    complaint_ =
        fmt::format("port {}: {} of {} octets arrived", plan_.port, received_, to_receive());
  }
}

void StreamEnd::fail(Errno error, const char* call) {
  finished_ = true;
  if (plan_.client_aborts && (error == Errno::connection_reset || error == Errno::pipe)) return;
  complaint_ =
      fmt::format("port {}: {} failed with errno {}", plan_.port, call, static_cast<int>(error));
}

App::App(Host& host, Rng& rng, SimClock& clock) : host_(host), rng_(rng), clock_(clock) {
  const Result<EventPoll*> set = EventPoll::create();
  CHECK(set.ok());
  set_ = *set;
}

App::~App() {
  for (const Listening& listening : listening_) listening.socket->put();
  for (auto& end : ends_) {
    if (end->socket()) end->socket()->put();
  }
  set_->put();
}

void App::watch(Socket& socket, const StreamPlan* plan, std::uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (plan) event.events |= EPOLLOUT | EPOLLRDHUP | (plan->edge ? std::uint32_t{EPOLLET} : 0u);
  event.data.u64 = data;
  CHECK(set_->ctl(EPOLL_CTL_ADD, {&socket, static_cast<int>(data & 0xffff)}, &event).ok());
}

void App::listen(const StreamPlan& plan) {
  Socket* socket = nullptr;
  {
    Inside inside(host_.stack());
    const Result<Socket*> made =
        create_socket(host_.stack().world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    CHECK(made.ok());
    socket = *made;
    CHECK(socket->bind({host_.address(), plan.port}, clock_.now()).ok());
    CHECK(socket->listen(16, clock_.now()).ok());
  }
  watch(*socket, nullptr, kListenerBit | listening_.size());
  listening_.push_back({socket, &plan});
}

void App::connect(const StreamPlan& plan, const IpAddress& server) {
  Socket* socket = nullptr;
  {
    Inside inside(host_.stack());
    const Result<Socket*> made =
        create_socket(host_.stack().world(), {AF_INET, SOCK_STREAM, IPPROTO_TCP});
    CHECK(made.ok());
    socket = *made;
    const Result<void> connected = socket->connect({server, plan.port}, clock_.now());
    CHECK(!connected.ok() && connected.error() == Errno::in_progress);
  }
  watch(*socket, &plan, ends_.size());
  ends_.push_back(std::make_unique<StreamEnd>(plan, true, socket));
}

void App::accept_all(const Listening& listening) {
  for (;;) {
    Socket* socket = nullptr;
    {
      Inside inside(host_.stack());
      const Result<Socket*> accepted = listening.socket->accept(clock_.now());
      if (!accepted) return;
      socket = *accepted;
    }
    watch(*socket, listening.plan, ends_.size());
    ends_.push_back(std::make_unique<StreamEnd>(*listening.plan, false, socket));
  }
}

void App::act() {
  std::array<epoll_event, kMaxEvents> events;
  testing_support::LookOnly context(clock_);
  const Result<int> n = set_->wait(events, Instant(), nullptr, context);
  CHECK(n.ok());
  const auto ready = std::span(events).first(static_cast<std::size_t>(*n));
  check_oracle(ready);
  for (const epoll_event& event : ready) {
    if (event.data.u64 & kListenerBit) {
      accept_all(listening_[event.data.u64 & ~kListenerBit]);
      continue;
    }
    Inside inside(host_.stack());
    ends_[event.data.u64]->act(clock_.now(), rng_);
  }
  for (auto& end : ends_) {
    if (!end->wants_attention()) continue;
    Inside inside(host_.stack());
    end->act(clock_.now(), rng_);
  }
  release_finished();
}

// A naive scan of all registrations: a level item that is ready must have been reported.
void App::check_oracle(std::span<const epoll_event> events) {
  if (events.size() == kMaxEvents) return;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    StreamEnd& end = *ends_[i];
    if (!end.socket() || end.plan().edge) continue;
    PollEvents ready;
    {
      Inside inside(host_.stack());
      ready =
          end.socket()->poll() & PollEvents(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    }
    std::uint32_t reported = 0;
    for (const epoll_event& event : events) {
      if (event.data.u64 == i) reported = event.events;
    }
    if (reported == ready.bits()) continue;
    complaint_ = fmt::format("port {}: epoll reported {:#x}, the socket is {:#x}", end.plan().port,
                             reported, ready.bits());
  }
}

void App::release_finished() {
  for (auto& end : ends_) {
    if (!end->is_finished() || !end->socket()) continue;
    end->socket()->put();  // the last reference: close(2)
    end->give_up_socket();
  }
}

bool App::is_finished() const {
  if (ends_.size() < listening_.size()) return false;
  for (const auto& end : ends_) {
    if (!end->is_finished()) return false;
  }
  return true;
}

std::uint64_t App::received() const {
  std::uint64_t octets = 0;
  for (const auto& end : ends_) octets += end->received();
  return octets;
}

bool App::wants_attention() const {
  for (const auto& end : ends_) {
    if (end->wants_attention()) return true;
  }
  return false;
}

std::string App::complaint() const {
  if (!complaint_.empty()) return complaint_;
  for (const auto& end : ends_) {
    if (!end->complaint().empty()) return end->complaint();
  }
  return {};
}

}  // namespace pollux::sim
