// cases_mixed.cc - behaviours 4.x, 5.13, 6.x, 7.22, 8.x where sockets and the kernel's own
// descriptors share a set: pipe, eventfd, signalfd, timerfd, AF_UNIX pair, a kernel epoll.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <initializer_list>
#include <string>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

enum class Kind { pipe, event, signal, timer, local, epoll };
constexpr Kind kKinds[] = {Kind::pipe,  Kind::event, Kind::signal,
                           Kind::timer, Kind::local, Kind::epoll};

std::string name_of(Kind kind) {
  constexpr const char* kNames[] = {"pipe", "eventfd", "signalfd", "timerfd", "AF_UNIX", "epoll"};
  return kNames[static_cast<int>(kind)];
}

// Braces keep the order of the calls between them, which operator+ does not.
std::string joined(std::initializer_list<std::string> texts) {
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += ", ";
    all += text;
  }
  return all;
}

// One descriptor of the kernel's that can be made readable again and again, and drained.
class Source {
 public:
  Source(Twin& t, Kind kind) : kind_(kind), file_(t.bring_in(make(t))) {}
  int number() const { return file_.number; }
  void arrive() const;
  void drain() const;

 private:
  int make(Twin& t);

  const Kind kind_;
  int far_ = -1;  // what is written to; of a kernel epoll: what it watches
  const KernelFile file_;
};

sigset_t only_realtime() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  return set;
}

int Source::make(Twin& t) {
  int ends[2] = {-1, -1};
  const sigset_t signals = only_realtime();
  switch (kind_) {
    case Kind::pipe:
      if (::pipe2(ends, O_NONBLOCK) != 0) return -1;
      break;
    case Kind::local:
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return -1;
      break;
    case Kind::event:
      return ::eventfd(0, EFD_NONBLOCK);
    case Kind::signal:
      ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
      return ::signalfd(-1, &signals, SFD_NONBLOCK);
    case Kind::timer:
      return ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    case Kind::epoll: {
      ends[0] = ::epoll_create1(0);
      ends[1] = ::eventfd(0, EFD_NONBLOCK);
      epoll_event event{.events = EPOLLIN, .data = {}};
      ::epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event);
      break;
    }
  }
  far_ = t.bring_in(ends[1]).kernel;
  return ends[0];
}

void Source::arrive() const {
  const uint64_t one = 1;
  const itimerspec at_once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
  pollfd expired{.fd = file_.kernel, .events = POLLIN, .revents = 0};
  if (kind_ == Kind::signal) {
    ::raise(SIGRTMIN);
  } else if (kind_ == Kind::timer) {
    ::timerfd_settime(file_.kernel, 0, &at_once, nullptr);
    ::poll(&expired, 1, 1000);
  } else if (::write(far_ >= 0 ? far_ : file_.kernel, &one, sizeof one) < 0) {
    ::perror("twin: write");
  }
}

void Source::drain() const {
  char buffer[sizeof(signalfd_siginfo)];
  while (::read(kind_ == Kind::epoll ? far_ : file_.kernel, buffer, sizeof buffer) > 0) {
  }
}

// A set with one source, K, and the passive end of a connection, S.
struct Mixed {
  Mixed(Twin& t, Kind kind, uint32_t events) : source(t, kind), set(t.set()), pair(t.pair()) {
    t.add(set, source.number(), events, 'K');
    t.add(set, pair.passive, events, 'S');
  }
  const Source source;
  const int set;
  const Pair pair;
};

void b4_1_level(Twin& t) {
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, EPOLLIN);
    t.expect(name_of(kind), t.wait(m.set), "none");
    m.source.arrive();
    t.expect("arrival, twice", joined({t.wait(m.set), t.wait(m.set)}), "K:IN, K:IN");
    t.send(m.pair.active, "x");
    t.expect("both", t.wait(m.set), "K:IN S:IN");
    m.source.drain();
    t.expect("the socket", t.wait(m.set), "S:IN");
    t.drain(m.pair.passive);
    t.expect("drained", t.wait(m.set), "none");
    m.source.arrive();
    t.expect("again", t.wait(m.set), "K:IN");
    m.source.drain();
  }
}

void b5_13_edge(Twin& t) {
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, kInEdge);
    m.source.arrive();
    t.expect(name_of(kind), t.wait(m.set), "K:IN");
    t.expect("once", t.wait(m.set), "none");
    m.source.arrive();
    t.expect("another, though unread", joined({t.wait(m.set), t.wait(m.set)}), "K:IN, none");
    t.send(m.pair.active, "x");
    t.expect("the socket", joined({t.wait(m.set), t.wait(m.set)}), "S:IN, none");
    m.source.drain();
    m.source.arrive();
    m.source.drain();
    t.expect("gone before the wait", t.wait(m.set), "none");
    m.source.arrive();
    t.modify(m.set, m.source.number(), kInEdge, 'M');
    t.expect("MOD and arrival are one", joined({t.wait(m.set), t.wait(m.set)}), "M:IN, none");
    m.source.drain();
  }
}

void b6_1_one_shot(Twin& t) {
  constexpr uint32_t kInOnce = std::uint32_t{EPOLLIN} | EPOLLONESHOT;
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, kInOnce);
    m.source.arrive();
    t.expect(name_of(kind), t.wait(m.set), "K:IN");
    m.source.arrive();
    t.send(m.pair.active, "x");
    t.expect("K is silent", joined({t.wait(m.set), t.wait(m.set)}), "S:IN, none");
    t.modify(m.set, m.source.number(), kInOnce, 'M');
    t.expect("armed again", joined({t.wait(m.set), t.wait(m.set)}), "M:IN, none");
    m.source.drain();
    t.modify(m.set, m.source.number(), kInOnce, 'N');
    t.expect("not ready", t.wait(m.set), "none");
    m.source.arrive();
    t.expect("arrival", joined({t.wait(m.set), t.wait(m.set)}), "N:IN, none");
    m.source.drain();
  }
}

// A to F are the sources, G and H connections. Each becomes ready with a wait of its own: between
// the two worlds no order of arrival is promised.
void b4_3m_rotation(Twin& t) {
  const int set = t.set();
  const std::array<Source, 6> sources = {Source(t, Kind::pipe),   Source(t, Kind::event),
                                         Source(t, Kind::signal), Source(t, Kind::timer),
                                         Source(t, Kind::local),  Source(t, Kind::epoll)};
  const std::array<Pair, 2> pairs = {t.pair(), t.pair()};
  for (size_t i = 0; i < sources.size(); ++i) {
    t.add(set, sources[i].number(), EPOLLIN, 'A' + i);
    sources[i].arrive();
    t.wait(set);
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    t.add(set, pairs[i].passive, EPOLLIN, 'G' + i);
    t.send(pairs[i].active, "x");
    t.wait(set);
  }
  for (const char* wanted : {"A:IN B:IN C:IN", "D:IN E:IN F:IN", "G:IN H:IN A:IN"}) {
    t.expect("three at a time", t.wait(set, 3), wanted);
  }
  for (const char* wanted : {"B:IN", "C:IN", "D:IN"}) {
    t.expect("one at a time", t.wait(set, 1), wanted);
  }
  sources[5].drain();
  t.drain(pairs[0].passive);
  t.expect("what is drained uses no slot", t.wait(set, 4), "E:IN H:IN A:IN B:IN");
  for (const Source& source : sources) source.drain();
  t.expect("the socket alone", t.wait(set), "H:IN");
}

void b4_4_newcomer(Twin& t) {
  const int set = t.set();
  const Source source(t, Kind::pipe);
  const std::array<Pair, 3> pairs = {t.pair(), t.pair(), t.pair()};
  t.add(set, source.number(), EPOLLIN, 'K');
  for (size_t i = 0; i < pairs.size(); ++i) {
    t.add(set, pairs[i].passive, EPOLLIN, 'A' + i);
    t.send(pairs[i].active, "x");
  }
  t.expect("first", t.wait(set, 1), "A:IN");
  source.arrive();
  t.expect("then", t.wait(set, 4), "B:IN C:IN A:IN K:IN");
}

void b7_22m_exclusive_without_waiters(Twin& t) {
  for (const Kind kind : kKinds) {
    const Source source(t, kind);
    const std::array<int, 2> sets = {t.set(), t.set()};
    uint64_t data = 'A';
    if (kind == Kind::epoll) {
      t.expect("epoll", t.add(sets[0], source.number(), kInEdge, 'A'), "0");
      continue;  // an EXCLUSIVE item of an epoll is EINVAL there (2.21)
    }
    for (const int set : sets) {
      const uint32_t events = kInEdge | EPOLLEXCLUSIVE;
      t.expect(name_of(kind), t.add(set, source.number(), events, data++), "0");
    }
    source.arrive();
    t.expect("queued in one", joined({t.wait(sets[0]), t.wait(sets[0])}), "A:IN, none");
    t.expect("and in the other", joined({t.wait(sets[1]), t.wait(sets[1])}), "B:IN, none");
    source.drain();
  }
}

void b8_3m_nested_level(Twin& t) {
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, EPOLLIN);
    const int outer = t.set();
    t.add(outer, m.set, EPOLLIN, 'I');
    t.expect(name_of(kind), joined({t.wait(outer), t.mask(m.set)}), "none, 0");
    m.source.arrive();
    t.expect("K, twice", joined({t.wait(outer), t.wait(outer)}), "I:IN, I:IN");
    t.expect("as a file", t.mask(m.set), "IN|RDNORM");
    t.expect("inner", t.wait(m.set), "K:IN");
    m.source.drain();
    t.expect("drained", joined({t.wait(outer), t.mask(m.set)}), "none, 0");
    t.send(m.pair.active, "x");
    t.expect("S", joined({t.wait(outer), t.wait(m.set)}), "I:IN, S:IN");
  }
}

void b8_4_nested_edge(Twin& t) {
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, EPOLLIN);
    const int outer = t.set();
    t.add(outer, m.set, kInEdge, 'I');
    for (const char* label : {"arrival", "another, nothing harvested"}) {
      m.source.arrive();
      t.expect(name_of(kind) + ": " + label, joined({t.wait(outer), t.wait(outer)}), "I:IN, none");
    }
    t.send(m.pair.active, "x");
    t.expect("the socket", joined({t.wait(outer), t.wait(outer)}), "I:IN, none");
    t.expect("harvested", t.wait(m.set), "K:IN S:IN");
    t.expect("which is no event", t.wait(outer), "none");
    m.source.drain();
  }
}

void b8_10_three_levels(Twin& t) {
  for (const Kind kind : kKinds) {
    const Mixed m(t, kind, kInEdge);
    const std::array<int, 2> above = {t.set(), t.set()};
    t.add(above[0], m.set, EPOLLIN, 'I');
    t.add(above[1], above[0], EPOLLIN, 'J');
    m.source.arrive();
    t.expect(name_of(kind), joined({t.wait(above[1]), t.wait(above[0])}), "J:IN, I:IN");
    t.expect("harvested", t.wait(m.set), "K:IN");
    t.expect("the root", t.wait(above[1]), "none");
    m.source.drain();
  }
}

constexpr Case kMixedCases[] = {
    {"4.1m", "the kernel's descriptors: level until drained", b4_1_level},
    {"4.3m", "rotation among sockets and the kernel's", b4_3m_rotation},
    {"4.4m", "a newcomer of the kernel's joins at the tail", b4_4_newcomer},
    {"5.13m", "the kernel's descriptors: each arrival is an edge", b5_13_edge},
    {"6.1m", "the kernel's descriptors: ONESHOT", b6_1_one_shot},
    {"7.22m", "EXCLUSIVE without waiters, of the kernel's", b7_22m_exclusive_without_waiters},
    {"8.3m", "a set with the kernel's in a set", b8_3m_nested_level},
    {"8.4m", "outer edge: one event per wake of the inner", b8_4_nested_edge},
    {"8.10m", "the kernel's at the bottom of three sets", b8_10_three_levels},
};

}  // namespace

std::span<const Case> mixed_cases() { return kMixedCases; }

}  // namespace pollux::twin
