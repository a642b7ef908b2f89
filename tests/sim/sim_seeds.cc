// sim_seeds.cc - runs seeds: two hosts, a bad network, streams; every octet, every packet, twice
// the same.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "epoll/eventpoll.h"
#include "stack/socket/socket.h"
#include "tests/sim/sim_app.h"
#include "tests/sim/sim_world.h"

namespace pollux::sim {
namespace {

struct Outcome {
  std::string complaint;  // empty: all is well
  std::uint64_t trace_hash = 0;
  Duration virtual_time;
  std::uint64_t packets = 0;
  std::uint64_t retransmitted = 0;
  std::uint64_t octets = 0;  // that arrived
};

// Swarm testing: some of the faults are absent in most runs.
LinkParams draw_link(Rng& rng) {
  const auto sometimes = [&](double most) {
    return rng.chance(0.5) ? 0.0 : most * static_cast<double>(rng.below(1000)) / 1000;
  };
  LinkParams link;
  link.loss = sometimes(0.10);
  link.duplicate = sometimes(0.05);
  link.reorder = sometimes(0.10);
  link.corrupt = sometimes(0.02);
  link.delay = Duration::us(static_cast<std::int64_t>(10 + rng.below(20000)));
  if (rng.chance(0.3)) link.jitter = Duration::us(static_cast<std::int64_t>(rng.below(10000)));
  if (rng.chance(0.2)) link.queue = static_cast<std::uint32_t>(8 + rng.below(64));
  if (rng.chance(0.2)) link.mtu = static_cast<std::uint16_t>(576 + rng.below(900));
  if (rng.chance(0.1)) link.largest = static_cast<std::uint32_t>(600 + rng.below(900));
  link.mark = sometimes(0.10);
  return link;
}

Config draw_config(Config config, Rng& rng) {
  config.tcp.ecn = static_cast<std::uint32_t>(rng.below(3));
  config.tcp.mtu_probing = static_cast<std::uint32_t>(1 + rng.below(2));
  return config;
}

std::vector<StreamPlan> draw_streams(Rng& rng) {
  std::vector<StreamPlan> plans(1 + rng.below(6));
  for (std::size_t i = 0; i < plans.size(); ++i) {
    StreamPlan& plan = plans[i];
    plan.port = static_cast<std::uint16_t>(1000 + i);
    plan.to_server = rng.chance(0.2) ? 0 : rng.below(std::uint64_t{1} << rng.below(18));
    plan.to_client = rng.chance(0.2) ? 0 : rng.below(std::uint64_t{1} << rng.below(18));
    plan.chunk = static_cast<std::uint32_t>(1 + rng.below(std::uint64_t{1} << (4 + rng.below(12))));
    plan.edge = rng.chance(0.5);
    plan.slow_reader = rng.chance(0.2);
    plan.client_aborts = rng.chance(0.1);
  }
  return plans;
}

class Run {
 public:
  Run(std::uint64_t seed, const Config& config)
      : draws_(seed),
        link_(draw_link(draws_)),
        plans_(draw_streams(draws_)),
        world_(draws_.next(), link_, draw_config(config, draws_)) {}

  Outcome run() {
    const Instant begin = world_.now();
    transfer(begin + Duration::seconds(4 * 3600));
    Outcome outcome;
    outcome.octets = octets_;
    for (Host* host : {&world_.a(), &world_.b()}) {
      outcome.retransmitted += host->stack().counters().tcp_retransmitted;
    }
    if (complaint_.empty()) drain(world_.now() + Duration::seconds(3600));
    outcome.complaint = complaint_;
    outcome.trace_hash = world_.link().trace_hash();
    outcome.packets = world_.link().packets();
    outcome.virtual_time = world_.now() - begin;
    return outcome;
  }

 private:
  void transfer(Instant end) {
    App server(world_.b(), draws_, world_.clock());
    App client(world_.a(), draws_, world_.clock());
    for (const StreamPlan& plan : plans_) {
      server.listen(plan);
      client.connect(plan, world_.b().address());
    }
    while (complaint_.empty() && !(server.is_finished() && client.is_finished())) {
      const bool soon = server.wants_attention() || client.wants_attention();
      const bool stepped = world_.step(soon ? world_.now() + Duration::ms(1) : end);
      server.act();
      client.act();
      complaint_ = server.complaint();
      if (complaint_.empty()) complaint_ = client.complaint();
      if (complaint_.empty() && world_.now() >= end) complaint_ = "a transfer does not end";
      if (complaint_.empty() && !stepped && !soon) complaint_ = "nothing will ever happen again";
    }
    octets_ = server.received() + client.received();
  }

  // With no program left the connections must end by themselves, and give back every packet.
  void drain(Instant end) {
    while (world_.step(end)) continue;
    for (Host* host : {&world_.a(), &world_.b()}) {
      const std::uint32_t left = host->stack().connections();
      if (left != 0) complaint_ = fmt::format("{} connections never end", left);
    }
    world_.link().clear();
    for (Host* host : {&world_.a(), &world_.b()}) {
      host->end();
      if (host->pool().is_full()) continue;
      complaint_ = fmt::format("{} packets are missing from a pool",
                               host->pool().capacity() - host->pool().available());
    }
  }

  Rng draws_;
  LinkParams link_;
  std::vector<StreamPlan> plans_;
  SimWorld world_;
  std::string complaint_;
  std::uint64_t octets_ = 0;
};

Config sim_config() {
  Config config;
  config.packets = 4095;
  config.connections = 256;
  config.listeners = 32;
  config.time_waits = 256;
  config.sockets = 256;
  return config;
}

struct Totals {
  Duration virtual_time;
  std::uint64_t packets = 0;
  std::uint64_t retransmitted = 0;
  std::uint64_t octets = 0;
};

bool run_seed(std::uint64_t seed, bool twice, Totals& totals) {
  static std::string note;
  note = fmt::format("sim_seeds --from {} --count 1", seed);
  set_check_note(note.c_str());
  static const Config config = sim_config();
  const Outcome first = Run(seed, config).run();
  totals.virtual_time = totals.virtual_time + first.virtual_time;
  totals.packets += first.packets;
  totals.retransmitted += first.retransmitted;
  totals.octets += first.octets;
  if (!first.complaint.empty()) {
    fmt::print("seed {}: {} (again with: sim_seeds --from {} --count 1)\n", seed, first.complaint,
               seed);
    return false;
  }
  if (!twice) return true;
  const Outcome second = Run(seed, config).run();
  if (second.trace_hash == first.trace_hash) return true;
  fmt::print("seed {}: not reproducible: {:#x}, then {:#x}\n", seed, first.trace_hash,
             second.trace_hash);
  return false;
}

}  // namespace
}  // namespace pollux::sim

int main(int argc, char** argv) {
  using namespace pollux;
  std::uint64_t from = 1, count = 1000;
  bool twice = true;
  CLI::App app("Two stacks through a bad network, one seed after the other");
  app.add_option("--from", from, "first seed");
  app.add_option("--count", count, "how many seeds");
  app.add_flag("!--once", twice, "do not run each seed a second time to compare the traces");
  CLI11_PARSE(app, argc, argv);
  if (const DriverError error = start_eal({.use_hugepages = false, .memory_mb = 512})) {
    fmt::print("{}\n", error.message);
    return 1;
  }
  EventPoll::configure({.threads = ThreadMode::shared, .max_sets = 16, .max_user_watches = 4096});
  configure_sockets(1024);
  std::uint64_t failed = 0;
  sim::Totals totals;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    if (!sim::run_seed(seed, twice, totals)) ++failed;
  }
  fmt::print(
      "{} octets arrived in {} packets, {} segments sent again, {:.1f} hours of virtual time\n",
      totals.octets, totals.packets, totals.retransmitted,
      static_cast<double>(totals.virtual_time.to_ms()) / 3.6e6);
  fmt::print("{} passed, {} failed, 0 skipped\n", count - failed, failed);
  return failed == 0 ? 0 : 1;
}
