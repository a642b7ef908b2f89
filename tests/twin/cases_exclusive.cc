// cases_exclusive.cc - behaviours 7.20 to 7.28: one file in several sets with EXCLUSIVE, each with
// a thread asleep in it.
#include <iterator>
#include <vector>

#include "tests/twin/twin.h"
#include "tests/twin/waiters.h"

namespace pollux::twin {
namespace {

constexpr uint32_t kExclusiveIn = EPOLLIN | EPOLLEXCLUSIVE;
constexpr uint32_t kExclusiveOut = EPOLLOUT | EPOLLEXCLUSIVE;

// Registers `fd` as A in a set of its own for each of `interests`. An edge that is there from the
// beginning is consumed.
std::vector<int> sets_on(Twin& t, int fd, std::initializer_list<uint32_t> interests) {
  std::vector<int> sets;
  for (const uint32_t events : interests) {
    sets.push_back(t.set());
    t.add(sets.back(), fd, events, 'A');
    if (events & EPOLLET) t.wait(sets.back());
  }
  return sets;
}

// A thread in each of the sets; `act`; what each comes back with, in the order of the sets: Z where
// `act` woke nobody.
template <typename Act>
std::string who_wakes(Twin& t, const std::vector<int>& sets, size_t expected, Act act) {
  Waiters waiters(t);
  for (const int set : sets) waiters.on_set(set);
  waiters.until_asleep();
  act();
  waiters.until_returned(expected);
  waiters.until_asleep();
  return waiters.end().each();
}

void b7_20_only_the_first(Twin& t) {
  for (const uint32_t edge : {0u, uint32_t{EPOLLET}}) {
    const Pair pair = t.pair();
    const uint32_t events = kExclusiveIn | edge;
    const auto sets = sets_on(t, pair.passive, {events, events, events, events});
    t.expect(edge ? "ET" : "LT", who_wakes(t, sets, 1, [&] { t.send(pair.active, "x"); }),
             "A:IN, Z:IN, Z:IN, Z:IN");
  }
}

void b7_21_no_rotation(Twin& t) {
  const Pair pair = t.pair();
  const uint32_t events = kExclusiveIn | EPOLLET;
  const auto sets = sets_on(t, pair.passive, {events, events, events});
  Waiters waiters(t);
  for (const int set : sets) waiters.on_set(set);
  for (size_t round = 1; round <= 3; ++round) {
    waiters.until_asleep();
    t.send(pair.active, "x");
    waiters.until_returned(round);
    if (round < 3) waiters.on_set(sets[0]);
  }
  waiters.until_asleep();
  t.expect("first set, second, third, first, first", waiters.end().each(),
           "A:IN, Z:IN, Z:IN, A:IN, A:IN");
}

void b7_23_the_rest_is_not_queued(Twin& t) {
  for (const uint32_t edge : {0u, uint32_t{EPOLLET}}) {
    const Pair pair = t.pair();
    const uint32_t events = kExclusiveIn | edge;
    const auto sets = sets_on(t, pair.passive, {events, events, events});
    Waiters waiters(t);
    waiters.on_set(sets[1]);
    waiters.until_asleep();
    t.send(pair.active, "x");
    waiters.until_returned(1);
    t.expect("the second, which waited", waiters.each(), "A:IN");
    t.expect("the first, before it", t.wait(sets[0]), "A:IN");
    t.expect("the third, after it", t.wait(sets[2]), "none");
  }
}

void b7_24_mixed(Twin& t) {
  const Pair pair = t.pair();
  const auto sets =
      sets_on(t, pair.passive, {kExclusiveIn, EPOLLIN, kExclusiveIn, EPOLLIN, kExclusiveIn});
  t.expect("EXCL, plain, EXCL, plain, EXCL",
           who_wakes(t, sets, 3, [&] { t.send(pair.active, "x"); }),
           "A:IN, A:IN, Z:IN, A:IN, Z:IN");
}

void b7_25_the_key_comes_first(Twin& t) {
  const Pair pair = t.pair();
  const auto sets = sets_on(t, pair.passive, {kExclusiveOut | EPOLLET, kExclusiveIn, kExclusiveIn});
  t.expect("OUT, IN, IN", who_wakes(t, sets, 1, [&] { t.send(pair.active, "x"); }),
           "Z:IN, A:IN, Z:IN");
}

void b7_26_who_absorbs(Twin& t) {
  const Pair pair = t.pair();
  const uint32_t in = kExclusiveIn | EPOLLET, out = kExclusiveOut | EPOLLET, both = in | out;
  t.fill(pair.active);
  const auto writers = sets_on(t, pair.active, {in, both, out});
  t.expect("space to write: IN, IN and OUT, OUT",
           who_wakes(t, writers, 1,
                     [&] {
                       while (t.drain(pair.passive) > 0) t.settle();
                     }),
           "Z:IN, A:OUT, Z:IN");

  const int udp = t.udp(), gone = t.udp();
  sockaddr_in address{};
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  t.calls.bind(gone, reinterpret_cast<sockaddr*>(&address), length);
  t.calls.getsockname(gone, reinterpret_cast<sockaddr*>(&address), &length);
  t.close(gone);
  t.calls.connect(udp, reinterpret_cast<sockaddr*>(&address), length);
  const auto sets = sets_on(t, udp, {kExclusiveIn, kExclusiveIn, kExclusiveIn});
  t.expect("an error: IN, IN, IN", who_wakes(t, sets, 1, [&] { t.send(udp, "x"); }),
           "A:ERR, Z:IN, Z:IN");
}

void b7_27_changes_of_state(Twin& t) {
  const auto two_readers = [&](int fd) { return sets_on(t, fd, {kExclusiveIn, kExclusiveIn}); };
  Pair pair = t.pair();
  t.expect("FIN", who_wakes(t, two_readers(pair.passive), 2, [&] { t.close(pair.active); }),
           "A:IN, A:IN");
  pair = t.pair();
  t.expect("RST", who_wakes(t, two_readers(pair.passive), 2, [&] { t.reset(pair.active); }),
           "A:IN|ERR|HUP, A:IN|ERR|HUP");
  pair = t.pair();
  const auto shut = [&] { t.calls.shutdown(pair.passive, SHUT_RD); };
  t.expect("shutdown", who_wakes(t, two_readers(pair.passive), 2, shut), "A:IN, A:IN");
  const Listener listener = t.listener();
  const int fd = t.tcp();
  const uint32_t out = kExclusiveOut | EPOLLET;
  const auto connect = [&] {
    t.calls.connect(fd, reinterpret_cast<const sockaddr*>(&listener.address),
                    sizeof listener.address);
  };
  t.expect("connected", who_wakes(t, sets_on(t, fd, {out, out}), 2, connect), "A:OUT, A:OUT");
}

void b7_28_listener(Twin& t) {
  const Listener listener = t.listener();
  const auto sets = sets_on(t, listener.fd, {kExclusiveIn, kExclusiveIn, kExclusiveIn});
  t.expect("one connection", who_wakes(t, sets, 1, [&] { t.connecting(listener.address); }),
           "A:IN, Z:IN, Z:IN");
}

constexpr Case kExclusiveCases[] = {
    {"7.20", "EXCLUSIVE: of four sets the first wakes", b7_20_only_the_first},
    {"7.21", "EXCLUSIVE: the same first one each time", b7_21_no_rotation},
    {"7.23", "EXCLUSIVE: sets after the one that absorbed are not queued",
     b7_23_the_rest_is_not_queued},
    {"7.24", "EXCLUSIVE: one, beside all that are not", b7_24_mixed},
    {"7.25", "EXCLUSIVE: the key comes first", b7_25_the_key_comes_first},
    {"7.26", "EXCLUSIVE: who absorbs which key", b7_26_who_absorbs},
    {"7.27", "EXCLUSIVE: a change of state wakes all", b7_27_changes_of_state},
    {"7.28", "EXCLUSIVE: one connection, one set of a listener", b7_28_listener},
};

}  // namespace

std::span<const Case> exclusive_cases() { return kExclusiveCases; }

}  // namespace pollux::twin
