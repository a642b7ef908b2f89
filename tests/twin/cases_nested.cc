// cases_nested.cc - behaviours 8.2 to 8.12: sets in sets.
#include <chrono>
#include <vector>

#include "tests/twin/twin.h"
#include "tests/twin/waiters.h"

namespace pollux::twin {
namespace {

// An outer set I of an inner one.
struct Nest {
  Nest(Twin& t, uint32_t events) : outer(t.set()), inner(t.set()) {
    t.add(outer, inner, events, 'I');
  }
  const int outer, inner;
};

// A chain of `length` sets, outermost first.
std::vector<int> chain(Twin& t, int length) {
  std::vector<int> sets = {t.set()};
  while (static_cast<int>(sets.size()) < length) {
    sets.push_back(t.set());
    t.add(sets[sets.size() - 2], sets.back(), EPOLLIN, 'I');
  }
  return sets;
}

void b8_2_asking_verifies(Twin& t) {
  const Nest nest(t, EPOLLIN);
  const Pair a = t.pair(), b = t.pair();
  t.add(nest.inner, a.passive, EPOLLIN | EPOLLET, 'A');
  t.add(nest.inner, b.passive, EPOLLIN | EPOLLET, 'B');
  t.send(a.active, "x");
  t.drain(a.passive);
  t.expect("queued but drained", t.wait(nest.outer), "none");
  t.send(b.active, "x");
  t.send(a.active, "x");
  t.expect("outer", t.wait(nest.outer), "I:IN");
  t.expect("A had been dropped: it is behind B", t.wait(nest.inner), "B:IN A:IN");
}

void b8_4_edges_of_a_set(Twin& t) {
  const Nest nest(t, EPOLLIN | EPOLLET);
  const Pair a = t.pair(), b = t.pair();
  t.add(nest.inner, a.passive, EPOLLIN, 'A');
  t.add(nest.inner, b.passive, EPOLLIN, 'B');
  t.send(a.active, "x");
  t.expect("A", t.wait(nest.outer), "I:IN");
  t.expect("nothing new", t.wait(nest.outer), "none");
  t.send(a.active, "x");
  t.expect("more of A, inner not harvested", t.wait(nest.outer), "I:IN");
  t.expect("inner", t.wait(nest.inner), "A:IN");
  t.expect("harvested: level, still ready", t.wait(nest.outer), "none");
  t.send(b.active, "x");
  t.expect("B", t.wait(nest.outer), "I:IN");
  t.expect("inner, one of two", t.wait(nest.inner, 1), "A:IN");
  t.expect("leftovers", t.wait(nest.outer), "none");
}

void b8_5_inner_first(Twin& t) {
  for (const uint32_t edge : {0u, uint32_t{EPOLLET}}) {
    const Nest nest(t, EPOLLIN | edge);
    const Pair pair = t.pair();
    t.add(nest.inner, pair.passive, EPOLLIN | EPOLLET, 'A');
    t.send(pair.active, "x");
    t.expect("inner", t.wait(nest.inner), "A:IN");
    t.expect("outer", t.wait(nest.outer), "none");
  }
}

// What a poll for RDNORM alone says of a set that becomes ready while it sleeps; empty if the octet
// may have come too late for its timeout. When a poll that nobody wakes looks again is not
// compared, but for the end of its timeout.
std::string polled_for_rdnorm(Twin& t, int inner, int sender, std::chrono::milliseconds timeout) {
  const auto begin = std::chrono::steady_clock::now();
  Waiters waiters(t);
  waiters.start([&] {
    pollfd entry{.fd = inner, .events = POLLRDNORM, .revents = 0};
    const int n = t.calls.poll(&entry, 1, static_cast<int>(timeout.count()));
    return to_text(n) + " " + events_to_text(static_cast<uint16_t>(entry.revents));
  });
  waiters.until_asleep();
  t.send(sender, "x");
  const bool is_in_time = std::chrono::steady_clock::now() - begin < timeout;
  waiters.join();
  return is_in_time ? waiters.each() : "";
}

void b8_6_the_key_is_in(Twin& t) {
  const Nest nest(t, EPOLLRDNORM);
  const Pair pair = t.pair();
  t.add(nest.inner, pair.passive, EPOLLIN, 'A');
  std::string told;
  for (std::chrono::milliseconds timeout(80); told.empty() && timeout.count() < kLongMs;
       timeout *= 4) {
    t.drain(pair.passive);
    told = polled_for_rdnorm(t, nest.inner, pair.active, timeout);
  }
  t.expect("poll's last look", told, "1 RDNORM");
  t.expect("outer was not told", t.wait(nest.outer), "none");
  t.modify(nest.outer, nest.inner, EPOLLRDNORM, 'J');
  t.expect("MOD asks", t.wait(nest.outer), "J:RDNORM");
}

void b8_7_five_in_a_chain(Twin& t) {
  auto five = chain(t, 5);
  t.expect("one more inside", t.add(five.back(), t.set(), EPOLLIN, 'I'), "-1 ELOOP");
  t.expect("one more outside", t.add(t.set(), five.front(), EPOLLIN, 'I'), "-1 ELOOP");
  const auto join = [&](int above, int below) {
    return t.add(chain(t, above).back(), chain(t, below).front(), EPOLLIN, 'I');
  };
  t.expect("3 over 3", join(3, 3), "-1 ELOOP");
  t.expect("2 over 3", join(2, 3), "0");
  t.expect("3 over 2", join(3, 2), "0");
  t.expect("4 over 1", join(4, 1), "0");
  t.expect("1 over 4", join(1, 4), "0");
  t.expect("5 over 1", join(5, 1), "-1 ELOOP");
  t.expect("1 over 5", join(1, 5), "-1 ELOOP");
  t.expect("a socket below five", t.add(five.back(), t.tcp(), EPOLLIN, 'A'), "0");
}

void b8_10_up_to_the_root(Twin& t) {
  const auto sets = chain(t, 5);
  const Pair pair = t.pair();
  t.add(sets.back(), pair.passive, EPOLLIN, 'A');
  Waiters waiters(t);
  waiters.on_set(sets.front());
  waiters.until_asleep();
  t.send(pair.active, "x");
  waiters.until_returned(1);
  t.expect("root", waiters.each(), "I:IN");
  for (size_t i = 1; i < 4; ++i) t.expect("level below", t.wait(sets[i]), "I:IN");
  t.expect("innermost", t.wait(sets.back()), "A:IN");
}

void b8_11_close_of_the_inner(Twin& t) {
  const Nest nest(t, EPOLLIN);
  const Pair pair = t.pair();
  t.add(nest.inner, pair.passive, EPOLLIN, 'A');
  Waiters waiters(t);
  waiters.on_set(nest.outer);
  waiters.until_asleep();
  t.close(nest.inner);
  t.send(pair.active, "x");
  t.until(pair.passive, POLLIN);
  waiters.until_asleep();
  t.expect("asleep", waiters.each(), "asleep");
  t.expect("woken by another", waiters.end().each(), "Z:IN");
  const int again = t.set();
  t.expect("same number", again == nest.inner, 1);
  t.expect("its item", t.remove(nest.outer, again), "-1 ENOENT");
}

void b8_12_not_exclusive(Twin& t) {
  const int outer = t.set(), inner = t.set();
  t.expect("ADD", t.add(outer, inner, EPOLLIN | EPOLLEXCLUSIVE, 'I'), "-1 EINVAL");
  t.expect("nothing was registered", t.remove(outer, inner), "-1 ENOENT");
}

constexpr Case kNestedCases[] = {
    {"8.2", "asking a set verifies, and drops what is not ready", b8_2_asking_verifies},
    {"8.4", "outer edges: one for each wake of the inner", b8_4_edges_of_a_set},
    {"8.5", "inner harvested first: the outer has nothing", b8_5_inner_first},
    {"8.6", "a set's key is IN alone", b8_6_the_key_is_in},
    {"8.7", "five sets in a chain, not six", b8_7_five_in_a_chain},
    {"8.10", "a wake-up passes all levels", b8_10_up_to_the_root},
    {"8.11", "close of the inner wakes nobody", b8_11_close_of_the_inner},
    {"8.12", "EXCLUSIVE cannot nest", b8_12_not_exclusive},
};

}  // namespace

std::span<const Case> nested_cases() { return kNestedCases; }

}  // namespace pollux::twin
