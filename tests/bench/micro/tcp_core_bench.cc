// tcp_core_bench.cc - what a Connection costs: one request and its answer, and bulk, without
// packets.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {

// Chunks from a free list, as mbufs come from a per-core cache.
class ChunkPool {
 public:
  static constexpr std::uint32_t kChunk = 2048;
  ~ChunkPool() {
    while (free_) std::free(std::exchange(free_, free_->link));
  }
  TextMemory memory() {
    return TextMemory([](void* self) { return static_cast<ChunkPool*>(self)->allocate(); }, this);
  }
  Text allocate() {
    Chunk* chunk = free_ ? std::exchange(free_, free_->link)
                         : static_cast<Chunk*>(std::malloc(sizeof(Chunk) + kChunk));
    new (chunk) Chunk();
    chunk->owner = this;
    chunk->data = reinterpret_cast<std::byte*>(chunk + 1);
    chunk->tail_room = kChunk;
    chunk->true_size = kChunk + 256;
    chunk->release = [](TextNode* node) {
      auto* self = static_cast<Chunk*>(node);
      self->link = std::exchange(self->owner->free_, self);
    };
    return Text(chunk);
  }

 private:
  struct Chunk : TextNode {
    ChunkPool* owner = nullptr;
    Chunk* link = nullptr;
  };
  Chunk* free_ = nullptr;
};

struct Host {
  explicit Host(std::uint64_t seed)
      : rng(seed),
        shared(config, chunks.memory(), counters, rng, 4),
        connection(std::make_unique<Connection>(shared)) {
    connection->options().no_delay = true;
  }
  TcpConfig config;
  ChunkPool chunks;
  Counters counters;
  Rng rng;
  Shared shared;
  std::unique_ptr<Connection> connection;
};

struct Hosts {
  Hosts() {
    const Endpoint client{IpAddress::v4(198, 18, 0, 1), 1000};
    const Endpoint server{IpAddress::v4(198, 18, 0, 2), 80};
    a.connection->open_active({client, server}, SeqNum(1), 1500, now);
    const auto syn = a.connection->next_segment(now);
    b.connection->open_passive({server, client}, SeqNum(7), 1500, *syn, now);
    while (carry(b, a) + carry(a, b) != 0) {
    }
  }
  // Everything `from` has to send arrives at `to`; returns the number of segments.
  unsigned carry(Host& from, Host& to) {
    unsigned n = 0;
    if (!from.connection->is_linked()) return 0;
    from.shared.output_pending.pop_front();
    while (auto seg = from.connection->next_segment(now)) {
      if (seg->text_length != 0) seg->text = copy(*from.connection, *seg, to);
      to.connection->segment_arrives(std::move(*seg), now);
      ++n;
    }
    return n;
  }
  Text copy(Connection& from, const Segment& seg, Host& to) {
    std::array<TextPiece, 4> piece;
    const unsigned pieces = from.text(seg.seq, seg.text_length, piece);
    Text text = to.chunks.allocate();
    for (unsigned i = 0; i < pieces; ++i) {
      text.append({piece[i].node->data + piece[i].offset, piece[i].size});
    }
    return text;
  }
  Instant now = Instant::from_ns(1'000'000'000);
  Host a{1}, b{2};
};

// Both connections' share of a request and its answer: two sends, two segments, two receives.
void request_response(benchmark::State& state) {
  Hosts hosts;
  std::array<std::byte, 4096> buffer{};
  const ConstBytes message = ConstBytes(buffer).first(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    hosts.now = hosts.now + Duration::us(1);
    benchmark::DoNotOptimize(hosts.a.connection->send(message, {}, hosts.now).ok());
    hosts.carry(hosts.a, hosts.b);
    benchmark::DoNotOptimize(hosts.b.connection->receive(buffer, {}, hosts.now).ok());
    benchmark::DoNotOptimize(hosts.b.connection->take_events());
    benchmark::DoNotOptimize(hosts.b.connection->send(message, {}, hosts.now).ok());
    hosts.carry(hosts.b, hosts.a);
    benchmark::DoNotOptimize(hosts.a.connection->receive(buffer, {}, hosts.now).ok());
    benchmark::DoNotOptimize(hosts.a.connection->take_events());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["segments/request"] =
      static_cast<double>(hosts.a.counters.tcp_segments_out + hosts.b.counters.tcp_segments_out) /
      static_cast<double>(state.iterations());
}
BENCHMARK(request_response)->Arg(64)->Arg(1024);

// Many connections in turn: the caches hold none of them.
void request_response_many(benchmark::State& state) {
  std::vector<std::unique_ptr<Hosts>> all;
  for (int i = 0; i < state.range(0); ++i) all.push_back(std::make_unique<Hosts>());
  std::array<std::byte, 64> buffer{};
  std::size_t next = 0;
  for (auto _ : state) {
    Hosts& hosts = *all[next++ % all.size()];
    hosts.now = hosts.now + Duration::ms(1);
    benchmark::DoNotOptimize(hosts.a.connection->send(buffer, {}, hosts.now).ok());
    hosts.carry(hosts.a, hosts.b);
    benchmark::DoNotOptimize(hosts.b.connection->receive(buffer, {}, hosts.now).ok());
    benchmark::DoNotOptimize(hosts.b.connection->send(buffer, {}, hosts.now).ok());
    hosts.carry(hosts.b, hosts.a);
    benchmark::DoNotOptimize(hosts.a.connection->receive(buffer, {}, hosts.now).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(request_response_many)->Arg(1000);

// One direction, as fast as it goes; the copies in and out are part of it.
void bulk(benchmark::State& state) {
  Hosts hosts;
  std::vector<std::byte> buffer(65536);
  std::int64_t received = 0;
  for (auto _ : state) {
    hosts.now = hosts.now + Duration::us(10);
    benchmark::DoNotOptimize(hosts.a.connection->send(buffer, {}, hosts.now).ok());
    hosts.carry(hosts.a, hosts.b);
    const auto n = hosts.b.connection->receive(buffer, {}, hosts.now);
    if (n.ok()) received += static_cast<std::int64_t>(*n);
    hosts.carry(hosts.b, hosts.a);
  }
  state.SetBytesProcessed(received);
}
BENCHMARK(bulk);

}  // namespace
}  // namespace pollux::tcp

BENCHMARK_MAIN();
