// syn_flood.cc - a server under a flood of spoofed SYNs: who else still gets through, and what it
// costs. Rows V15, V21, 4987-3.6 and T7a.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "drivers/dpdk/eal.h"
#include "stack/core/inside.h"
#include "stack/socket/socket.h"
#include "tests/sim/checks.h"
#include "tests/sim/flood_device.h"
#include "tests/sim/sim_world.h"
#include "tests/sim/visits.h"

namespace pollux::sim {
namespace {

constexpr std::uint16_t kDoor = 80;
constexpr unsigned kPollBudget = 64;
constexpr Duration kLeastStep = Duration::us(10);
constexpr std::size_t kAnswer = 1000;
constexpr Duration kPatience = Duration::ms(900);  // a SYN that is lost comes again after 1 s
constexpr std::uint64_t kMebibyte = 1 << 20;
constexpr unsigned kTurnsPerSecond = 10'000;  // of a FloodDevice

struct Plan {
  unsigned syns_per_second = 200'000;
  unsigned acks_per_second = 20'000;  // with cookies made up
  unsigned seconds = 10;
  unsigned visits_per_second = 100;
  std::uint32_t syncookies = 1;
};

Config host_config(const Plan& plan) {
  Config config;
  config.packets = 4095;
  config.connections = 65536;
  config.sockets = 8192;
  config.tcp.syncookies = plan.syncookies;
  return config;
}

PortConfig port_config(const IpAddress& own, const IpAddress& gateway) {
  PortConfig port;
  port.addresses = {{own, 24}};
  port.gateway = gateway;
  return port;
}

class Flood {
 public:
  explicit Flood(const Plan& plan)
      : plan_(plan),
        client_(host_config(plan), 1, 1, clock_),
        server_(host_config(plan), 2, 2, clock_),
        link_({}, {client_.mac(), client_.pool()}, {server_.mac(), server_.pool()}, rng_, clock_),
        device_(link_.b(), server_.pool(), {{server_.address(), kDoor}, server_.mac()}, clock_),
        visitors_(client_, {server_.address(), kDoor}, kAnswer,
                  {Duration::seconds(1) / plan.visits_per_second, kPatience}) {
    client_.connect_to(link_.a());
    server_.stack().add_interface(device_, port_config(server_.address(), client_.address()));
    desk_ = std::make_unique<Desk>(server_, kDoor, kAnswer, clock_);
  }
  ~Flood() { desk_.reset(); }

  // True: all that the rows ask for held.
  bool run() {
    visitors_.start(clock_.now());
    turn_until(clock_.now() + Duration::seconds(1));  // all that is touched once has been
    const std::uint64_t before = resident_octets();
    device_.flood(plan_.syns_per_second / kTurnsPerSecond, plan_.acks_per_second / kTurnsPerSecond);
    turn_until(clock_.now() + Duration::seconds(plan_.seconds));
    const std::uint64_t after = resident_octets();
    growth_ = after > before ? after - before : 0;
    most_connections_ = server_.stack().connections();
    device_.flood(0, 0);
    visitors_.stop();
    turn_until(clock_.now() + kPatience);
    report();
    return checks_.end();
  }

 private:
  void turn_until(Instant end) {
    while (clock_.now() < end) {
      const Instant timers =
          earlier(client_.stack().next_timeout(), server_.stack().next_timeout());
      const Instant arrivals = earlier(link_.a().next_event(), device_.next_event());
      const Instant next = earlier(earlier(earlier(timers, arrivals), visitors_.next()), end);
      // A wheel with many timers says when the slot of the first begins, which may be past.
      clock_.advance_to(std::max(next, clock_.now() + kLeastStep));
      {
        Inside inside(server_.stack());
        server_.stack().poll(kPollBudget, inside.now());
      }
      {
        Inside inside(client_.stack());
        client_.stack().poll(kPollBudget, inside.now());
      }
      desk_->act();
      visitors_.act(clock_.now());
    }
  }

  void report() {
    const FloodDevice::Told& told = device_.told();
    const Counters& counters = server_.stack().counters();
    const double answered =
        100.0 * static_cast<double>(visitors_.answered()) / static_cast<double>(visitors_.begun());
    const double amplified =
        static_cast<double>(told.octets_out) / static_cast<double>(told.octets_in);
    fmt::print("{} SYNs and {} ACKs spoofed in {} s; {} cookies sent, {} back, {} refused\n",
               told.syns, told.acks, plan_.seconds, counters.tcp_syncookies_sent,
               counters.tcp_syncookies_received, counters.tcp_syncookies_failed);
    fmt::print("{} of {} honest connects answered ({:.2f} %), median {} us, 99 % within {} us\n",
               visitors_.answered(), visitors_.begun(), answered, visitors_.quantile(0.5).to_us(),
               visitors_.quantile(0.99).to_us());
    fmt::print("memory grew by {:.1f} MiB, {} connections at the end of the flood\n",
               static_cast<double>(growth_) / kMebibyte, most_connections_);
    fmt::print("{} octets out for {} in ({:.2f}), {} RSTs, {} SYN,ACKs sent again\n",
               told.octets_out, told.octets_in, amplified, told.resets,
               told.answers > told.syns ? told.answers - told.syns : 0);
    checks_.check("V15, T7a: 99 % of the honest connect", answered >= 99);
    checks_.check("T7a: memory grows by 64 MiB at most", growth_ <= 64 * kMebibyte);
    checks_.check("4987-3.6: no connection of a made-up cookie",
                  counters.tcp_passive_opens == visitors_.answered());
    checks_.check("V21: 3 times the octets at most", amplified <= 3);
  }

  const Plan plan_;
  SimClock clock_;
  Rng rng_{1};
  Host client_;
  Host server_;
  SimLink link_;
  FloodDevice device_;
  std::unique_ptr<Desk> desk_;
  Visitors visitors_;
  std::uint64_t growth_ = 0;
  std::uint32_t most_connections_ = 0;
  Checks checks_;
};

}  // namespace
}  // namespace pollux::sim

int main(int argc, char** argv) {
  using namespace pollux;
  sim::Plan plan;
  CLI::App app("A SYN flood beside honest clients, in virtual time");
  app.add_option("--syns", plan.syns_per_second, "spoofed SYNs in a second");
  app.add_option("--acks", plan.acks_per_second, "spoofed ACKs in a second");
  app.add_option("--seconds", plan.seconds, "how long");
  app.add_option("--visits", plan.visits_per_second, "honest connects in a second");
  app.add_option("--syncookies", plan.syncookies, "the server's tcp.syncookies");
  CLI11_PARSE(app, argc, argv);
  if (const DriverError error = start_eal({.use_hugepages = false, .memory_mb = 512})) {
    fmt::print("{}\n", error.message);
    return 1;
  }
  EventPoll::configure({.threads = ThreadMode::shared, .max_sets = 16, .max_user_watches = 4096});
  configure_sockets(16384);
  return sim::Flood(plan).run() ? 0 : 1;
}
