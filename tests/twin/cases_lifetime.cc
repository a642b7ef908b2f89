// cases_lifetime.cc - behaviours 7.x to 9.x within one thread: several sets, nesting, close and
// dup.
#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

void b7_6_one_file_in_several_sets(Twin& t) {
  const int first = t.set(), second = t.set();
  const Pair pair = t.pair();
  t.add(first, pair.passive, EPOLLIN | EPOLLET, 'A');
  t.add(second, pair.passive, EPOLLIN, 'B');
  t.send(pair.active, "x");
  t.expect("first", t.wait(first), "A:IN");
  t.expect("second", t.wait(second), "B:IN");
}

void b7_22_exclusive_without_waiters(Twin& t) {
  const int first = t.set(), second = t.set();
  const Pair pair = t.pair();
  t.add(first, pair.passive, EPOLLIN | EPOLLEXCLUSIVE, 'A');
  t.add(second, pair.passive, EPOLLIN | EPOLLEXCLUSIVE, 'B');
  t.send(pair.active, "x");
  t.expect("first", t.wait(first), "A:IN");
  t.expect("second", t.wait(second), "B:IN");
}

void b8_1_a_set_is_a_file(Twin& t) {
  const int inner = t.set();
  const Pair pair = t.pair();
  t.add(inner, pair.passive, EPOLLIN, 'A');
  t.expect("empty", t.mask(inner), "0");
  t.send(pair.active, "x");
  t.expect("ready", t.mask(inner), "IN|RDNORM");
  t.drain(pair.passive);
  t.expect("queued but drained", t.mask(inner), "0");
}

void b8_3_nested_level(Twin& t) {
  const int outer = t.set(), inner = t.set();
  const Pair pair = t.pair();
  t.add(outer, inner, EPOLLIN, 'I');
  t.add(inner, pair.passive, EPOLLIN, 'A');
  t.send(pair.active, "x");
  t.expect("outer", t.wait(outer), "I:IN");
  t.expect("outer again", t.wait(outer), "I:IN");
  t.expect("inner", t.wait(inner), "A:IN");
  t.drain(pair.passive);
  t.expect("outer, drained", t.wait(outer), "none");
}

void b8_8_cycles(Twin& t) {
  const int a = t.set(), b = t.set(), c = t.set();
  t.expect("a in b", t.add(b, a, EPOLLIN, 'A'), "0");
  t.expect("b in c", t.add(c, b, EPOLLIN, 'B'), "0");
  t.expect("c in a", t.add(a, c, EPOLLIN, 'C'), "-1 ELOOP");
  t.expect("a in c: a diamond", t.add(c, a, EPOLLIN, 'A'), "0");
}

void b9_1_last_close_removes(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.tcp();  // takes the number of the listener of pair()
  t.add(set, pair.passive, EPOLLIN, 'A');
  t.send(pair.active, "x");
  t.close(pair.passive);
  t.settle();
  t.expect("queued, then closed", t.wait(set), "none");
  const int again = t.tcp();
  t.expect("same number again", again == pair.passive, 1);
  t.expect("is not registered", t.remove(set, again), "-1 ENOENT");
}

void b9_2_a_dup_keeps_the_registration(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  const int other = t.keep(t.calls.dup(pair.passive));
  t.close(pair.passive);
  t.send(pair.active, "x");
  t.expect("still reported", t.wait(set), "A:IN");
  t.expect("DEL by the closed number", t.remove(set, pair.passive), "-1 EBADF");
  t.expect("DEL by the other", t.remove(set, other), "-1 ENOENT");
}

void b9_3_dup2_back_to_the_number(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  const int other = t.keep(t.calls.dup(pair.passive));
  t.close(pair.passive);
  t.expect("dup2", t.keep(t.calls.dup2(other, pair.passive)) == pair.passive, 1);
  t.expect("DEL", t.remove(set, pair.passive), "0");
}

void b9_4_both_numbers_are_items(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  const int other = t.keep(t.calls.dup(pair.passive));
  t.expect("ADD", t.add(set, pair.passive, EPOLLIN, 'A'), "0");
  t.expect("ADD of the dup", t.add(set, other, EPOLLIN, 'B'), "0");
  t.send(pair.active, "x");
  t.expect("last registered first", t.wait(set), "B:IN A:IN");
}

// V27.
void b9_5_new_file_at_the_old_number(Twin& t) {
  const int set = t.set();
  const Pair first = t.pair();
  t.add(set, first.passive, EPOLLIN, 'A');
  t.keep(t.calls.dup(first.passive));
  t.close(first.passive);
  const int fresh = t.tcp();
  t.expect("same number", fresh == first.passive, 1);
  t.expect("ADD", t.add(set, fresh, EPOLLIN, 'B'), "0");
  t.send(first.active, "x");
  t.expect("both report", t.wait(set), "B:HUP A:IN");
  t.expect("DEL", t.remove(set, fresh), "0");
  t.expect("the old one stays", t.wait(set), "A:IN");
}

void b9_6_dup2_over_the_only_number(Twin& t) {
  const int set = t.set();
  const Pair pair = t.pair();
  t.add(set, pair.passive, EPOLLIN, 'A');
  t.send(pair.active, "x");
  t.calls.dup2(t.udp(), pair.passive);
  t.expect("gone", t.wait(set), "none");
  t.expect("DEL", t.remove(set, pair.passive), "-1 ENOENT");
}

constexpr Case kLifetimeCases[] = {
    {"7.6", "one file in several sets", b7_6_one_file_in_several_sets},
    {"7.22", "EXCLUSIVE without waiters queues everywhere", b7_22_exclusive_without_waiters},
    {"8.1", "a set is a file: IN and RDNORM", b8_1_a_set_is_a_file},
    {"8.3", "nested level until the inner is empty", b8_3_nested_level},
    {"8.8", "cycles are ELOOP, diamonds are fine", b8_8_cycles},
    {"9.1", "the last close removes", b9_1_last_close_removes},
    {"9.2", "a dup keeps the registration", b9_2_a_dup_keeps_the_registration},
    {"9.3", "dup2 back to the number", b9_3_dup2_back_to_the_number},
    {"9.4", "both numbers can be items", b9_4_both_numbers_are_items},
    {"9.5", "a new file at the old number", b9_5_new_file_at_the_old_number},
    {"9.6", "dup2 over the only number is a close", b9_6_dup2_over_the_only_number},
};

}  // namespace

std::span<const Case> lifetime_cases() { return kLifetimeCases; }

}  // namespace pollux::twin
