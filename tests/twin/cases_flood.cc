// cases_flood.cc - behaviours 4.3, 3.11, 7.20 under load: in one set neither the kernel's
// descriptors nor the sockets keep the other side's events away. Waits are counted, not time.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr size_t kFlood = 500;  // more than one question to the kernel brings in
constexpr int kMaxEvents = 8;
constexpr size_t kRound = kFlood / kMaxEvents + 1;  // waits that deliver every ready item once
constexpr int kGuardMs = 5000;                      // only a failure waits so long

void write_one(int kernel_fd) {
  const uint64_t one = 1;
  if (::write(kernel_fd, &one, sizeof one) < 0) ::perror("twin: write");
}

// How many waits it takes to deliver W. `before` is called ahead of each.
template <typename Before>
std::string waits_for_w(Twin& t, int set, size_t at_most, Before before) {
  std::array<epoll_event, kMaxEvents> events{};
  for (size_t waits = 1; waits <= at_most; ++waits) {
    before();
    const int n = t.calls.epoll_wait(set, events.data(), kMaxEvents, kGuardMs);
    if (n <= 0) return "no event at all";
    for (int i = 0; i < n; ++i) {
      if (events[static_cast<size_t>(i)].data.u64 == 'W') return "in time";
    }
  }
  return "late";
}

struct KernelFlood {
  KernelFlood(Twin& t, int set, uint32_t events) {
    for (KernelFile& file : files) {
      file = t.event_fd();
      t.add(set, file.number, events, 'F');
    }
  }
  void arrive() const {
    for (const KernelFile& file : files) write_one(file.kernel);
  }
  std::array<KernelFile, kFlood> files;
};

void b4_3_flood_of_level_descriptors(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'W');
  const KernelFlood flood(t, set, EPOLLIN);
  flood.arrive();
  t.expect("under way", t.wait(set, 1), "F:IN");
  t.send(pair.active, "x");
  t.expect("a socket", waits_for_w(t, set, kRound + 1, [] {}), "in time");
  t.expect("and again", waits_for_w(t, set, kRound + 1, [] {}), "in time");
}

// All of them have had another arrival at each wait.
void b4_3_flood_of_edges(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  const KernelFile other = t.event_fd();
  t.add(set, pair.passive, kInEdge, 'W');
  const KernelFlood flood(t, set, kInEdge);
  const auto arrive = [&] { flood.arrive(); };
  arrive();
  t.expect("under way", t.wait(set, 1), "F:IN");
  t.send(pair.active, "x");
  t.expect("a socket", waits_for_w(t, set, 2 * kRound, arrive), "in time");
  t.add(set, other.number, kInEdge, 'W');
  write_one(other.kernel);
  t.expect("one of the kernel's own", waits_for_w(t, set, 2 * kRound, arrive), "in time");
}

void b4_3_flood_of_sockets(Twin& t) {
  const int set = t.set();
  const KernelFile file = t.event_fd();
  t.add(set, file.number, EPOLLIN, 'W');
  for (size_t i = 0; i < kFlood; ++i) t.add(set, t.udp(), EPOLLOUT, 'F');
  t.expect("under way", t.wait(set, 1), "F:OUT");
  write_one(file.kernel);
  t.expect("the kernel's", waits_for_w(t, set, kRound + 1, [] {}), "in time");
  t.expect("and again", waits_for_w(t, set, kRound + 1, [] {}), "in time");
}

// A socket, its address, and a thread that sends to it without end. Before every 1,000th datagram
// it calls `now_and_then`.
template <typename Act>
class Sender {
 public:
  Sender(Twin& t, Act now_and_then) : socket(t.udp()), t_(t), act_(now_and_then) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    t.calls.bind(socket, generic, length);
    t.calls.getsockname(socket, generic, &length);
    const int from = t.udp();
    t.calls.connect(from, generic, length);
    thread_ = std::thread([this, from] { run(from); });
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() {
    stop_ = true;
    thread_.join();
  }
  const int socket;

 private:
  void run(int from) {
    for (size_t i = 1; !stop_; ++i) {
      if (i % 1000 == 0) act_();
      t_.calls.send(from, "x", 1, MSG_NOSIGNAL);
      if (i % 8 == 0) t_.drain(socket);
    }
  }

  Twin& t_;
  Act act_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

void b4_3_peer_without_end(Twin& t) {
  const int set = t.set();
  const KernelFile file = t.event_fd();
  t.add(set, file.number, EPOLLIN, 'W');
  const Sender sender(t, [] {});
  t.add(set, sender.socket, kInEdge, 'F');
  t.expect("under way", t.wait(set, 1, kGuardMs), "F:IN");
  write_one(file.kernel);
  t.expect("the kernel's", t.wait(set, 1) == "W:IN" || t.wait(set, 1) == "W:IN", 1);
}

// Nothing of the flood is in the set: a wait that sleeps is busy with it all the same.
void b3_11_wait_beside_a_flood_of_packets(Twin& t) {
  const int set = t.set(), silent = t.udp();
  const KernelFile file = t.event_fd();
  t.add(set, file.number, EPOLLIN, 'W');
  t.add(set, silent, EPOLLIN, 'S');
  const Sender sender(t, [&] { write_one(file.kernel); });
  uint64_t count = 0;
  for (const char* label : {"first", "second", "third"}) {
    t.expect(label, t.wait(set, 1, kGuardMs), "W:IN");
    t.expect("read", ::read(file.kernel, &count, sizeof count), 8);
  }
}

void b4_3_descriptor_written_without_end(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  const KernelFile file = t.event_fd();
  t.add(set, file.number, kInEdge, 'F');
  t.add(set, pair.passive, EPOLLIN, 'W');
  std::atomic<bool> stop = false;
  std::thread flood([&] {
    while (!stop) write_one(file.kernel);
  });
  t.expect("under way", t.wait(set, 1, kGuardMs), "F:IN");
  t.send(pair.active, "x");
  t.expect("the socket", t.wait(set, 1) == "W:IN" || t.wait(set, 1) == "W:IN", 1);
  stop = true;
  flood.join();
}

bool is_asleep(int thread_id) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread_id) + "/stat");
  std::string number, name, state;
  status >> number >> name >> state;
  return state == "S";
}

// A thread that waits once, for ever, in a set of its own.
struct Waiter {
  void start(Twin& t) {
    thread = std::thread([this, &t] {
      id = ::gettid();
      seen = t.wait(set, 4, kGuardMs);
      is_done = true;
    });
  }
  int set = -1;
  KernelFile release{};
  std::atomic<int> id = 0;
  std::atomic<bool> is_done = false;
  std::string seen;
  std::thread thread;
};

// Asleep at several looks in a row: not only on its way.
void await_sleep(const std::array<Waiter, 4>& waiters) {
  for (int looks = 0; looks < 5;) {
    bool all = true;
    for (const Waiter& waiter : waiters) all = all && waiter.id != 0 && is_asleep(waiter.id);
    looks = all ? looks + 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void b7_20_exclusive_socket_in_mixed_sets(Twin& t) {
  const Pair pair = t.pair();
  std::array<Waiter, 4> waiters;
  for (Waiter& waiter : waiters) {
    waiter.set = t.set();
    waiter.release = t.event_fd();
    t.add(waiter.set, waiter.release.number, EPOLLIN, 'R');
    t.add(waiter.set, pair.passive, std::uint32_t{EPOLLIN} | EPOLLEXCLUSIVE, 'X');
    waiter.start(t);
  }
  await_sleep(waiters);
  t.calls.send(pair.active, "x", 1, MSG_NOSIGNAL);
  for (int i = 0; i < kGuardMs && !waiters[0].is_done; ++i) ::usleep(1000);
  for (const Waiter& waiter : waiters) write_one(waiter.release.kernel);
  for (Waiter& waiter : waiters) waiter.thread.join();
  t.expect("the first", waiters[0].seen, "X:IN");
  for (size_t i = 1; i < waiters.size(); ++i) t.expect("another", waiters[i].seen, "R:IN");
}

constexpr Case kFloodCases[] = {
    {"4.3f", "a flood of ready descriptors delays no socket", b4_3_flood_of_level_descriptors},
    {"4.3g", "a flood of edges delays nobody", b4_3_flood_of_edges},
    {"4.3h", "a flood of ready sockets delays no descriptor", b4_3_flood_of_sockets},
    {"4.3i", "a peer that sends without end delays no descriptor", b4_3_peer_without_end},
    {"4.3j", "a descriptor written without end delays no socket",
     b4_3_descriptor_written_without_end},
    {"3.11f", "asleep beside a flood of packets", b3_11_wait_beside_a_flood_of_packets},
    {"7.20m", "EXCLUSIVE in sets with the kernel's descriptors: one wakes",
     b7_20_exclusive_socket_in_mixed_sets},
};

}  // namespace

std::span<const Case> flood_cases() { return kFloodCases; }

}  // namespace pollux::twin
