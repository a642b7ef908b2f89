// cases_edge.cc - behaviours 5.x: edge-triggered delivery.
#include <unistd.h>

#include <array>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

struct Watched {
  Watched(Twin& t, uint32_t events) : set(t.set()), pair(t.pair()) {
    t.add(set, pair.passive, events, 'A');
  }
  int set;
  Pair pair;
};

void b5_1_ready_at_add(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.add(set, pair.passive, kInEdge, 'A');
  t.expect("once", t.wait(set), "A:IN");
  t.expect("silent", t.wait(set), "none");
}

void b5_2_one_event_per_queueing(Twin& t) {
  const Watched w(t, kInEdge);
  for (int i = 0; i < 3; ++i) t.send(w.pair.active, "x");
  t.expect("three arrivals", t.wait(w.set), "A:IN");
  t.expect("silent", t.wait(w.set), "none");
  t.send(w.pair.active, "y");
  t.expect("another, though unread", t.wait(w.set), "A:IN");
}

void b5_3_reading_is_no_event(Twin& t) {
  const Watched w(t, kInEdge);
  t.send(w.pair.active, "abcd");
  t.wait(w.set);
  t.expect("peek", t.receive(w.pair.passive, 2, MSG_PEEK), "\"ab\"");
  t.expect("after peek", t.wait(w.set), "none");
  t.expect("read", t.receive(w.pair.passive, 2), "\"ab\"");
  t.expect("after read", t.wait(w.set), "none");
}

void b5_4_consumed_before_the_wait(Twin& t) {
  const Watched w(t, kInEdge);
  t.send(w.pair.active, "x");
  t.drain(w.pair.passive);
  t.expect("nothing", t.wait(w.set), "none");
}

void b5_5_modify_asks_again(Twin& t) {
  const Watched w(t, kInEdge);
  t.send(w.pair.active, "x");
  t.wait(w.set);
  t.modify(w.set, w.pair.passive, kInEdge, 'B');
  t.expect("MOD, ready", t.wait(w.set), "B:IN");
  t.expect("once", t.wait(w.set), "none");
  t.remove(w.set, w.pair.passive);
  t.add(w.set, w.pair.passive, kInEdge, 'C');
  t.expect("DEL and ADD, ready", t.wait(w.set), "C:IN");
  t.drain(w.pair.passive);
  t.modify(w.set, w.pair.passive, kInEdge, 'D');
  t.expect("MOD, not ready", t.wait(w.set), "none");
}

void b5_6_the_whole_readiness(Twin& t) {
  const Watched w(t, kInEdge | EPOLLOUT);
  t.expect("at ADD", t.wait(w.set), "A:OUT");
  t.send(w.pair.active, "x");
  t.expect("data", t.wait(w.set), "A:IN|OUT");
}

void b5_7_data_is_no_event_for_out(Twin& t) {
  const Watched w(t, EPOLLOUT | EPOLLET);
  t.expect("at ADD", t.wait(w.set), "A:OUT");
  t.send(w.pair.active, "x");
  t.expect("data", t.wait(w.set), "none");
}

void b5_8_acks_are_no_event(Twin& t) {
  const Watched w(t, EPOLLOUT | EPOLLET);
  t.expect("at ADD", t.wait(w.set), "A:OUT");
  t.send(w.pair.passive, "answer");
  t.drain(w.pair.active);
  t.settle();
  t.expect("acknowledged", t.wait(w.set), "none");
}

void b5_9_one_event_when_space_returns(Twin& t) {
  const Watched w(t, EPOLLOUT | EPOLLET);
  t.wait(w.set);
  t.fill(w.pair.passive);
  t.expect("full", t.mask(w.pair.passive), "0");
  t.expect("silent", t.wait(w.set), "none");
  for (int i = 0; i < 400 && t.mask(w.pair.passive) == "0"; ++i) {
    t.drain(w.pair.active);
    t.settle();
  }
  t.expect("space again", t.mask(w.pair.passive), "OUT|WRNORM");
  t.expect("one event", t.wait(w.set), "A:OUT");
  t.drain(w.pair.active);
  t.settle();
  t.expect("no more", t.wait(w.set), "none");
}

void b5_10_leftovers_stay_in_order(Twin& t) {
  const int set = t.set();
  std::array<Pair, 5> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = t.pair();
    t.add(set, pairs[i].passive, kInEdge, 'A' + i);
  }
  for (const Pair& pair : pairs) t.send(pair.active, "x");
  for (const char* wanted : {"A:IN B:IN", "C:IN D:IN", "E:IN", "none"}) {
    t.expect("two at a time", t.wait(set, 2), wanted);
  }
}

void b5_11_modified_while_queued(Twin& t) {
  const Watched w(t, kInEdge);
  t.send(w.pair.active, "x");
  t.modify(w.set, w.pair.passive, EPOLLPRI | EPOLLET, 'A');
  t.expect("no match", t.wait(w.set), "none");
  t.modify(w.set, w.pair.passive, kInEdge, 'B');
  t.expect("back", t.wait(w.set), "B:IN");
}

void b5_12_level_to_edge_and_back(Twin& t) {
  const Watched w(t, EPOLLIN);
  t.send(w.pair.active, "x");
  t.wait(w.set);
  t.modify(w.set, w.pair.passive, kInEdge, 'A');
  t.expect("one event", t.wait(w.set), "A:IN");
  t.expect("silence", t.wait(w.set), "none");
  t.modify(w.set, w.pair.passive, EPOLLIN, 'A');
  t.expect("level", t.wait(w.set), "A:IN");
  t.expect("level again", t.wait(w.set), "A:IN");
}

void b5_13_eventfd(Twin& t) {
  const int set = t.set();
  const KernelFile file = t.event_fd();
  uint64_t one = 1;
  const auto write_one = [&] { return ::write(file.kernel, &one, sizeof one); };
  t.expect("ADD", t.add(set, file.number, kInEdge, 'A'), "0");
  t.expect("empty", t.wait(set), "none");
  for (const char* label : {"write", "write, though unread"}) {
    t.expect("write", write_one(), 8);
    t.expect(label, t.wait(set), "A:IN");
    t.expect("once", t.wait(set), "none");
  }
  t.modify(set, file.number, EPOLLIN, 'B');
  t.expect("level", t.wait(set) + ", " + t.wait(set), "B:IN, B:IN");
  t.expect("read", ::read(file.kernel, &one, sizeof one), 8);
  t.expect("drained", t.wait(set), "none");
}

constexpr Case kEdgeCases[] = {
    {"5.1", "ready at ADD: one event", b5_1_ready_at_add},
    {"5.2", "one event per queueing, another per arrival", b5_2_one_event_per_queueing},
    {"5.3", "reading is no event", b5_3_reading_is_no_event},
    {"5.4", "consumed before the wait: nothing", b5_4_consumed_before_the_wait},
    {"5.5", "MOD and DEL+ADD ask again", b5_5_modify_asks_again},
    {"5.6", "the whole readiness is reported", b5_6_the_whole_readiness},
    {"5.7", "data is no event for OUT", b5_7_data_is_no_event_for_out},
    {"5.8", "ACKs are no event", b5_8_acks_are_no_event},
    {"5.9", "one OUT event when space returns", b5_9_one_event_when_space_returns},
    {"5.10", "leftovers stay queued, in order", b5_10_leftovers_stay_in_order},
    {"5.11", "modified while queued", b5_11_modified_while_queued},
    {"5.12", "level to edge and back", b5_12_level_to_edge_and_back},
    {"5.13", "the kernel's eventfd in the set", b5_13_eventfd},
};

}  // namespace

std::span<const Case> edge_cases() { return kEdgeCases; }

}  // namespace pollux::twin
