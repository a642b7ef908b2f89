// cases_close.cc - behaviours 9.10 to 9.15: what ends while a thread waits for it.
#include <atomic>
#include <chrono>
#include <mutex>

#include "tests/twin/twin.h"
#include "tests/twin/waiters.h"

namespace pollux::twin {
namespace {

constexpr std::chrono::milliseconds kShort(80);

void b9_10_close_of_the_set(Twin& t) {
  const int set = t.set(), other = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN | EPOLLET, 'A');
  Waiters waiters(t);
  waiters.on_set(set);
  waiters.until_asleep();
  t.close(set);
  t.settle();
  waiters.until_asleep();
  t.expect("not woken", waiters.each(), "asleep");
  t.expect("number free", t.set() == set, 1);
  t.send(pair.active, "x");
  waiters.until_returned(1);
  t.expect("a later event", waiters.each(), "A:IN");

  bool is_early = false;
  waiters.start([&] {
    const auto before = std::chrono::steady_clock::now();
    const std::string told = t.wait(other, 1, kShort.count());
    is_early = std::chrono::steady_clock::now() - before < kShort;
    return told;
  });
  waiters.until_asleep();
  t.close(other);
  waiters.join();
  t.expect("both", waiters.each(), "A:IN, none");
  t.expect("before its timeout", is_early, 0);
}

void b9_11_close_of_the_file(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  Waiters waiters(t);
  waiters.on_set(set);
  waiters.until_asleep();
  t.close(pair.passive);
  t.settle();
  waiters.until_asleep();
  t.expect("not woken", waiters.each(), "asleep");
  t.expect("woken by another", waiters.end().each(), "Z:IN");
}

void b9_12_ctl_while_a_thread_waits(Twin& t) {
  const int set = t.set();
  const Pair silenced = t.pair(), ready = t.pair();
  t.add(set, silenced.passive, EPOLLIN, 'A');
  Waiters waiters(t);
  waiters.on_set(set);
  waiters.until_asleep();
  t.remove(set, silenced.passive);
  t.send(silenced.active, "x");
  t.until(silenced.passive, POLLIN);
  waiters.until_asleep();
  t.expect("after DEL", waiters.each(), "asleep");
  t.add(set, ready.passive, EPOLLIN, 'B');
  t.settle();
  waiters.until_asleep();
  t.expect("ADD, not ready", waiters.each(), "asleep");
  t.modify(set, ready.passive, EPOLLOUT, 'C');
  waiters.until_returned(1);
  t.expect("MOD to what is ready", waiters.each(), "C:OUT");
  t.remove(set, ready.passive);
  waiters.on_set(set);
  waiters.until_asleep();
  t.add(set, silenced.passive, EPOLLIN, 'D');
  waiters.until_returned(2);
  t.expect("ADD of what is ready", waiters.each(), "C:OUT, D:IN");
}

// What two polls say, of a socket and of a set, that are closed while they sleep; empty if the
// closes may have come too late for the timeout.
std::string closed_under_poll(Twin& t, std::chrono::milliseconds timeout) {
  const int set = t.set(), socket = t.pair().passive;
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> early = 0;
  Waiters waiters(t);
  for (const int fd : {socket, set}) {
    waiters.start([&t, &early, fd, timeout] {
      pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
      const auto before = std::chrono::steady_clock::now();
      const int n = t.calls.poll(&entry, 1, static_cast<int>(timeout.count()));
      early += std::chrono::steady_clock::now() - before < timeout;
      return to_text(n) + " " + events_to_text(static_cast<uint16_t>(entry.revents));
    });
  }
  waiters.until_asleep();
  t.close(socket);
  t.close(set);
  const bool is_in_time = std::chrono::steady_clock::now() - begin < timeout;
  waiters.join();
  if (!is_in_time) return "";
  return waiters.each() + (early ? ", before the timeout" : "");
}

void b9_13_close_under_poll(Twin& t) {
  std::string told;
  for (auto timeout = kShort; told.empty() && timeout.count() < kLongMs; timeout *= 4) {
    told = closed_under_poll(t, timeout);
  }
  t.expect("socket, set", told, "1 NVAL, 1 NVAL");
}

// Ten roots of five levels may watch one file (8.9): with a root's registrations its paths end.
void b9_14_close_releases_the_watches(Twin& t) {
  std::vector<int> chain = {t.set(), t.set(), t.set(), t.set()};
  for (size_t i = 1; i < chain.size(); ++i) t.add(chain[i - 1], chain[i], EPOLLIN, 'I');
  t.add(chain.back(), t.tcp(), EPOLLIN, 'A');
  std::vector<int> roots;
  const auto add_root = [&] {
    roots.push_back(t.set());
    return t.add(roots.back(), chain.front(), EPOLLIN, 'I');
  };
  for (int i = 0; i < 10; ++i) t.expect("root", add_root(), "0");
  t.expect("one too many", add_root(), "-1 EINVAL");
  t.close(roots.front());
  t.expect("after a close", add_root(), "0");
  t.expect("again", add_root(), "-1 EINVAL");
}

// Each of the answers is the event or nothing; what is closed is the number's only file, while
// others use it.
void b9_15_everything_at_once(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  std::atomic<bool> is_over = false;
  const auto is_legal = [](const std::string& told) {
    return told == "none" || told == "A:IN" || told == "B:OUT|HUP" || told == "A:IN B:OUT|HUP" ||
           told == "B:OUT|HUP A:IN";
  };
  Waiters waiters(t);
  for (int i = 0; i < 2; ++i) {
    waiters.start([&] {
      while (!is_over) {
        if (const std::string told = t.wait(set, 4, 1); !is_legal(told)) return told;
      }
      return std::string("legal");
    });
  }
  waiters.start([&] {
    while (!is_over) {
      const int fd = t.calls.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      t.add(set, fd, EPOLLIN | EPOLLOUT, 'B');
      t.calls.close(fd);
    }
    return std::string("closed");
  });
  for (int i = 0; i < 200; ++i) {
    t.calls.send(pair.active, "x", 1, MSG_NOSIGNAL);
    t.add(set, pair.passive, EPOLLIN | (i % 2 ? uint32_t{EPOLLET} : 0), 'A');
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    t.remove(set, pair.passive);
  }
  is_over = true;
  waiters.join();
  t.expect("threads", waiters.each(), "legal, legal, closed");
  t.expect("nothing is left", t.wait(set), "none");
}

constexpr Case kCloseCases[] = {
    {"9.10", "close of a set in which a thread waits", b9_10_close_of_the_set},
    {"9.11", "close of a watched file wakes nobody", b9_11_close_of_the_file},
    {"9.12", "ADD, MOD and DEL while a thread waits", b9_12_ctl_while_a_thread_waits},
    {"9.13", "close under poll: NVAL at the timeout", b9_13_close_under_poll},
    {"9.14", "close of a set releases its watches", b9_14_close_releases_the_watches},
    {"9.15", "close, DEL and wait at once", b9_15_everything_at_once},
};

}  // namespace

std::span<const Case> close_cases() { return kCloseCases; }

}  // namespace pollux::twin
