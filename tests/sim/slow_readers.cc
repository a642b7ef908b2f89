// slow_readers.cc - a server that thousands of clients keep waiting: idle ones, ones with a closed
// window, slow ones. Who else is served, and what it costs. Rows V16, T7b and slow-read.
#include <fmt/format.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "epoll/eventpoll.h"
#include "stack/core/inside.h"
#include "stack/socket/socket.h"
#include "tests/sim/checks.h"
#include "tests/sim/sim_world.h"
#include "tests/sim/visits.h"

namespace pollux::sim {
namespace {

constexpr std::uint16_t kFirstDoor = 80, kDoors = 4;  // a client has 28,232 ports for each
constexpr unsigned kPollBudget = 64;
constexpr std::size_t kAnswer = 65536;
constexpr Duration kLeastStep = Duration::us(10), kVisitPause = Duration::ms(50);
constexpr Duration kPatience = Duration::seconds(10), kSlowRead = Duration::seconds(1);
constexpr unsigned kArrivals = 50;  // of those who keep waiting, in each turn of 1 ms
constexpr std::uint64_t kKibibyte = 1024;

struct Plan {
  std::uint32_t readers = 5000;
  std::uint32_t packets = 0;  // of the server; 0: enough to have one for each
  unsigned seconds = 10;      // with all of them there
};

constexpr std::uint32_t kOthers = 1024;  // connections that are no reader's

std::uint32_t client_packets(const Plan& plan) { return 8191 + 4 * plan.readers; }
std::uint32_t server_packets(const Plan& plan) {
  return plan.packets != 0 ? plan.packets : 4 * (plan.readers + kOthers) + 8191;
}

Config reader_config(const Plan& plan, std::uint32_t packets) {
  Config config;
  config.packets = packets;
  config.connections = plan.readers + kOthers;
  return config;
}

// Clients that take their time. They ask for an answer, but for the first of each three.
class Readers {
 public:
  Readers(Host& host, const IpAddress& server) : host_(host), server_(server) {}
  ~Readers() {
    for (Socket* socket : sockets_) socket->put();
  }
  void connect(unsigned count) {
    const Inside inside(host_.stack());
    for (; count != 0; --count) {
      Socket& socket = make_stream(host_);
      const int least = 1;  // and Linux makes it 2,304
      CHECK(
          socket
              .set_option(SOL_SOCKET, SO_RCVBUF, std::as_bytes(std::span(&least, 1)), inside.now())
              .ok());
      const auto door = static_cast<std::uint16_t>(kFirstDoor + sockets_.size() % kDoors);
      CHECK(socket.connect({server_, door}, inside.now()).error() == Errno::in_progress);
      sockets_.push_back(&socket);
    }
  }
  // Asks once; later every third reads some octets.
  void act() {
    const Inside inside(host_.stack());
    std::array<std::byte, 100> octets;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (i % 3 == 0) continue;
      if (i >= asked_ && !sockets_[i]->poll().has(kOut)) break;
      if (i >= asked_) asked_ = i + 1, send_some(*sockets_[i], kQuestion, inside.now());
      if (i % 3 == 2) read_ += receive_some(*sockets_[i], octets, inside.now());
    }
  }
  std::size_t count() const { return sockets_.size(); }
  std::uint64_t read() const { return read_; }

 private:
  Host& host_;
  const IpAddress server_;
  std::vector<Socket*> sockets_;
  std::size_t asked_ = 0;
  std::uint64_t read_ = 0;
};

class Siege {
 public:
  explicit Siege(const Plan& plan)
      : plan_(plan),
        client_(reader_config(plan, client_packets(plan)), 1, 1, clock_),
        server_(reader_config(plan, server_packets(plan)), 2, 2, clock_),
        link_({.queue = 8000}, {client_.mac(), client_.pool()}, {server_.mac(), server_.pool()},
              rng_, clock_) {
    client_.connect_to(link_.a());
    server_.connect_to(link_.b());
    for (std::uint16_t i = 0; i < kDoors; ++i) {
      desks_.push_back(std::make_unique<Desk>(server_, static_cast<std::uint16_t>(kFirstDoor + i),
                                              kAnswer, clock_));
    }
    readers_ = std::make_unique<Readers>(client_, server_.address());
  }
  ~Siege() {
    readers_.reset();
    desks_.clear();
  }

  // True: all that the rows ask for held.
  bool run() {
    Visitors before = visitors();
    turn_with(before, Duration::seconds(5));
    const std::uint64_t memory = resident_octets();
    while (readers_->count() < plan_.readers) {
      readers_->connect(
          std::min<unsigned>(kArrivals, plan_.readers - static_cast<unsigned>(readers_->count())));
      turn_until(clock_.now() + Duration::ms(1), nullptr);
    }
    turn_until(clock_.now() + kSlowRead * 2, nullptr);
    Visitors during = visitors();
    turn_with(during, Duration::seconds(plan_.seconds));
    const std::uint64_t after = resident_octets();
    growth_ = after > memory ? after - memory : 0;
    report(before, during);
    return checks_.end();
  }

 private:
  Visitors visitors() {
    return Visitors(client_, {server_.address(), kFirstDoor}, kAnswer, {kVisitPause, kPatience});
  }
  void turn_with(Visitors& visitors, Duration time) {
    visitors.start(clock_.now());
    turn_until(clock_.now() + time, &visitors);
    visitors.stop();
    turn_until(clock_.now() + kPatience, &visitors);
  }
  void turn_until(Instant end, Visitors* visitors) {
    while (clock_.now() < end) {
      const Instant timers =
          earlier(client_.stack().next_timeout(), server_.stack().next_timeout());
      const Instant arrivals = earlier(link_.a().next_event(), link_.b().next_event());
      Instant next = earlier(earlier(timers, arrivals), earlier(next_read_, end));
      if (visitors) next = earlier(next, visitors->next());
      clock_.advance_to(std::max(next, clock_.now() + kLeastStep));
      for (Host* host : {&server_, &client_}) {
        Inside inside(host->stack());
        host->stack().poll(kPollBudget, inside.now());
      }
      for (auto& desk : desks_) desk->act();
      if (visitors) visitors->act(clock_.now());
      if (clock_.now() < next_read_) continue;
      readers_->act();
      next_read_ = clock_.now() + kSlowRead;
    }
  }

  void report(const Visitors& before, const Visitors& during) {
    const std::uint32_t connections = server_.stack().connections();
    fmt::print("{} readers, {} connections; {} octets read; {} of {} packets left\n",
               readers_->count(), connections, readers_->read(), server_.pool().available(),
               server_.pool().capacity());
    for (const Visitors* v : {&before, &during}) {
      fmt::print("{}: {} of {} answered; 99 % connected within {} us, answered within {} us\n",
                 v == &before ? "before" : "during", v->answered(), v->begun(),
                 v->connect_quantile(0.99).to_us(), v->quantile(0.99).to_us());
    }
    const std::uint64_t each = growth_ / plan_.readers;
    fmt::print("memory grew by {:.1f} MiB, {} octets for each, both ends counted\n",
               static_cast<double>(growth_) / (kKibibyte * kKibibyte), each);
    checks_.check("V16: all of them are connected", connections >= plan_.readers);
    checks_.check("V16, slow-read: new clients are answered", during.answered() == during.begun());
    checks_.check("T7b: 99 % of them connect within twice the time of before",
                  during.answered() != 0 &&
                      during.connect_quantile(0.99) <= before.connect_quantile(0.99) * 2);
    checks_.check("T7b: memory grows by 4 KiB at most for each", each <= 4 * kKibibyte);
  }

  const Plan plan_;
  SimClock clock_;
  Rng rng_{1};
  Host client_;
  Host server_;
  SimLink link_;
  std::vector<std::unique_ptr<Desk>> desks_;
  std::unique_ptr<Readers> readers_;
  Instant next_read_ = Instant();
  std::uint64_t growth_ = 0;
  Checks checks_;
};

}  // namespace
}  // namespace pollux::sim

int main(int argc, char** argv) {
  using namespace pollux;
  sim::Plan plan;
  CLI::App app("Slow readers beside honest clients, in virtual time");
  app.add_option("--readers", plan.readers, "how many");
  app.add_option("--packets", plan.packets, "the server's stack.packets");
  app.add_option("--seconds", plan.seconds, "how long they are all there");
  CLI11_PARSE(app, argc, argv);
  const std::uint32_t memory_mb =
      64 + (sim::client_packets(plan) + sim::server_packets(plan)) / 1024 * 4;
  if (const DriverError error = start_eal({.use_hugepages = false, .memory_mb = memory_mb})) {
    fmt::print("{}\n", error.message);
    return 1;
  }
  EventPoll::configure(
      {.threads = ThreadMode::shared, .max_sets = 16, .max_user_watches = plan.readers + 4096});
  configure_sockets(2 * plan.readers + 4096);
  return sim::Siege(plan).run() ? 0 : 1;
}
