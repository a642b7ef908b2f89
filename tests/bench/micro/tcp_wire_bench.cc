// tcp_wire_bench.cc - what a segment costs on the wire's side: decode, find, encode.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "stack/tcp/tcp.h"
#include "stack/wire/checksum.h"
#include "stack/wire/headers.h"

namespace pollux::tcp {
namespace {

const IpAddress kServer = IpAddress::v4(198, 18, 0, 2);
const IpAddress kClient = IpAddress::v4(198, 18, 0, 1);

PacketPool& pool() {
  static PacketPool only = [] {
    if (start_eal({.use_hugepages = false, .memory_mb = 128})) std::abort();
    return std::move(*PacketPool::create("bench", 8191, 2048));
  }();
  return only;
}

Secret secret() {
  Rng rng(1);
  Secret made{};
  for (std::uint64_t& key : made.demux) key = rng.next();
  return made;
}

// A server's Tcp with `count` connections that one peer opened, each ready to send.
struct World {
  explicit World(std::uint32_t count) {
    PortUse* port = *ports.bind({kServer, 80}, {});
    listener = *tcp.open_passive({kServer, 80}, *port, {}, 4096);
    for (std::uint32_t i = 0; i < count; ++i) open(i);
  }
  void open(std::uint32_t i) {
    const FourTuple tuple{.local = {kServer, 80},
                          .remote = {IpAddress::v4(0xc6130000u + i / 1000),
                                     static_cast<std::uint16_t>(1024 + i % 1000)}};
    Segment syn;
    syn.ctl = SYN;
    syn.wnd = 65535;
    syn.options.mss = 1460;
    syn.options.has_timestamps = true;
    syn.options.has_window_scale = true;
    syn.options.window_scale = 7;
    tcp.segment_arrives_listen(*listener, tuple, std::move(syn), 1500, now);
    Connection* child = tcp.find_connection(tuple);
    tcp.next_pending();
    const auto syn_ack = child->next_segment(now);
    Segment ack;
    ack.seq = SeqNum(1);
    ack.ack = syn_ack->seq + 1;
    ack.ctl = ACK;
    ack.wnd = 65535;
    ack.options.has_timestamps = true;
    ack.options.ts_ecr = syn_ack->options.ts_val;
    child->segment_arrives(std::move(ack), now);
    tcp.settle(*child, now);
    (void)*tcp.accept(*listener);
    tuples.push_back(tuple);
  }

  Instant now = Instant::from_ns(1'000'000'000);
  Counters counters;
  Rng rng{1};
  Ports ports{100, {1}, 1};
  Tcp tcp{TcpConfig{},
          {.connections = 70000, .time_waits = 16},
          {pool(), ports, rng, counters},
          secret(),
          now};
  Listener* listener;
  std::vector<FourTuple> tuples;
};

void find(benchmark::State& state) {
  const LcoreScope lcore(0);
  World world(static_cast<std::uint32_t>(state.range(0)));
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(world.tcp.find_connection(world.tuples[next]));
    if (++next == world.tuples.size()) next = 0;
  }
}
BENCHMARK(find)->Arg(1)->Arg(64)->Arg(1024)->Arg(65536);

// The peer's segment of `text` octets, with timestamps and checksum.
std::vector<std::byte> arriving_octets(std::uint32_t text) {
  std::vector<std::byte> octets(32 + text);
  auto& header = *reinterpret_cast<wire::TcpHeader*>(octets.data());
  header.source_port = 1024;
  header.destination_port = 80;
  header.data_offset = 0x80;
  header.control = 0x10;
  octets[20] = octets[21] = std::byte{1};
  octets[22] = std::byte{8};
  octets[23] = std::byte{10};
  wire::Sum sum(wire::pseudo_header_sum({.source = kClient,
                                         .destination = kServer,
                                         .protocol = wire::kProtocolTcp,
                                         .length = static_cast<std::uint32_t>(octets.size())}));
  sum.add(octets);
  header.checksum = sum.checksum();
  return octets;
}

Packet packet_of(const std::vector<std::byte>& octets, Checksum checksum) {
  Packet packet = pool().allocate();
  std::memcpy(packet.put(static_cast<std::uint16_t>(octets.size())), octets.data(), octets.size());
  packet.meta().l4_checksum = checksum;
  return packet;
}

// What the two below have in common: to be subtracted.
void packet_alone(benchmark::State& state) {
  const LcoreScope lcore(0);
  const auto octets = arriving_octets(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    Packet packet = packet_of(octets, Checksum::valid);
    benchmark::DoNotOptimize(packet.mbuf());
  }
}
BENCHMARK(packet_alone)->Arg(0)->Arg(64)->Arg(1448);

void decode(benchmark::State& state, Checksum checksum) {
  const LcoreScope lcore(0);
  World world(1);
  const auto octets = arriving_octets(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    auto arrival = world.tcp.decode({kClient, kServer}, packet_of(octets, checksum));
    benchmark::DoNotOptimize(arrival->segment.seq);
  }
}
BENCHMARK_CAPTURE(decode, by_device, Checksum::good)->Arg(0)->Arg(64)->Arg(1448);
BENCHMARK_CAPTURE(decode, software, Checksum::unknown)->Arg(0)->Arg(64)->Arg(1448);

void encode(benchmark::State& state, bool by_device) {
  const LcoreScope lcore(0);
  World world(1);
  const auto text = static_cast<std::uint32_t>(state.range(0));
  Connection& connection = *world.tcp.find_connection(world.tuples[0]);
  Segment seg;
  if (text != 0) {
    const std::vector<std::byte> octets(text);
    (void)connection.send(octets, {}, world.now);
    seg = std::move(*connection.next_segment(world.now));
  } else {
    seg.ctl = ACK;
    seg.options.has_timestamps = true;
  }
  for (auto _ : state) {
    Encoded encoded = world.tcp.encode(connection, seg, {.checksum_by_device = by_device});
    benchmark::DoNotOptimize(encoded.packet.mbuf());
  }
}
BENCHMARK_CAPTURE(encode, software, false)->Arg(0)->Arg(64)->Arg(256)->Arg(257)->Arg(1448);
BENCHMARK_CAPTURE(encode, device, true)->Arg(0)->Arg(64)->Arg(256)->Arg(257)->Arg(1448);

}  // namespace
}  // namespace pollux::tcp

BENCHMARK_MAIN();
