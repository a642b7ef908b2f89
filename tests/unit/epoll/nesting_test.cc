// nesting_test.cc - sets in sets: readiness, edges, chains, cycles, numbers of paths (8).
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;
using testing_support::FakeFile;
using testing_support::kEdgeIn;

class NestingTest : public EpollTest {
 protected:
  std::vector<EventPoll*> new_sets(std::size_t n) {
    std::vector<EventPoll*> sets;
    for (std::size_t i = 0; i < n; ++i) sets.push_back(&new_set());
    return sets;
  }
  // sets[0] watches sets[1] watches sets[2] and so on.
  int chain(const std::vector<EventPoll*>& sets) {
    for (std::size_t i = 1; i < sets.size(); ++i) {
      if (const int error = add(*sets[i - 1], *sets[i], 'I', EPOLLIN)) return error;
    }
    return 0;
  }
};

TEST_F(NestingTest, epoll_8_1_8_2_a_set_is_readable_if_an_item_really_is) {
  EventPoll& set = new_set();
  FakeFile a;
  ASSERT_EQ(add(set, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(set.poll(), PollEvents());
  a.data_arrives();
  EXPECT_EQ(set.poll(), kIn | kRdNorm);
  a.is_drained();
  EXPECT_EQ(set.poll(), PollEvents());
  a.quietly_becomes(kIn);
  EXPECT_EQ(letters(set), "");  // the stale hint was dropped
}

TEST_F(NestingTest, epoll_8_3_outer_level_until_the_inner_is_empty) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, a, 'A', kEdgeIn), 0);
  a.data_arrives();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(inner), "A");
  EXPECT_EQ(letters(outer), "");
}

TEST_F(NestingTest, epoll_8_4_outer_edge_once_per_wake_of_the_inner) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', kEdgeIn), 0);
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  a.data_arrives();
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(outer), "");
  a.data_arrives();  // the inner was not harvested
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(letters(inner), "A");  // a level item stays ready
  EXPECT_EQ(letters(outer), "");
}

TEST_F(NestingTest, epoll_8_4_mod_of_a_queued_item_wakes_nobody) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', kEdgeIn), 0);
  a.data_arrives();
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(outer), "I");
  EXPECT_EQ(mod(inner, a, 'A', EPOLLIN), 0);
  EXPECT_EQ(letters(outer), "");
  EXPECT_EQ(mod(inner, a, 'A', kEdgeIn), 0);
  EXPECT_EQ(letters(inner), "A");
  EXPECT_EQ(mod(inner, a, 'A', kEdgeIn), 0);  // not queued any more
  EXPECT_EQ(letters(outer), "I");
}

TEST_F(NestingTest, epoll_8_5_harvested_before_the_outer_is_asked) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, a, 'A', kEdgeIn), 0);
  a.data_arrives();
  EXPECT_EQ(letters(inner), "A");
  EXPECT_EQ(letters(outer), "");
}

TEST_F(NestingTest, epoll_8_6_rdnorm_alone_is_not_woken_but_reported_when_asked) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', EPOLLRDNORM), 0);
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  a.data_arrives();
  EXPECT_EQ(letters(outer), "");
  ASSERT_EQ(mod(outer, inner, 'I', EPOLLRDNORM), 0);
  EXPECT_EQ(events(outer).at(0).mask, std::uint32_t{EPOLLRDNORM});
}

TEST_F(NestingTest, epoll_8_7_five_in_a_chain_whichever_end_is_extended) {
  const auto inwards = new_sets(6);
  for (std::size_t i = 1; i < 5; ++i) ASSERT_EQ(add(*inwards[i - 1], *inwards[i], 'I', EPOLLIN), 0);
  EXPECT_EQ(add(*inwards[4], *inwards[5], 'I', EPOLLIN), ELOOP);
  const auto outwards = new_sets(6);
  for (std::size_t i = 4; i > 0; --i) {
    ASSERT_EQ(add(*outwards[i], *outwards[i + 1], 'I', EPOLLIN), 0);
  }
  EXPECT_EQ(add(*outwards[0], *outwards[1], 'I', EPOLLIN), ELOOP);
}

TEST_F(NestingTest, epoll_8_7_joining_two_chains) {
  for (const auto& [upper, lower, error] :
       {std::tuple{3u, 3u, ELOOP}, {2u, 3u, 0}, {4u, 1u, 0}, {5u, 1u, ELOOP}, {1u, 5u, ELOOP}}) {
    const auto above = new_sets(upper), below = new_sets(lower);
    ASSERT_EQ(chain(above), 0);
    ASSERT_EQ(chain(below), 0);
    EXPECT_EQ(add(*above.back(), *below.front(), 'J', EPOLLIN), error) << upper << lower;
  }
}

TEST_F(NestingTest, epoll_8_8_cycles_of_any_length) {
  for (std::size_t length = 2; length <= 5; ++length) {
    const auto sets = new_sets(length);
    ASSERT_EQ(chain(sets), 0);
    EXPECT_EQ(add(*sets.back(), *sets.front(), 'C', EPOLLIN), ELOOP);
  }
}

TEST_F(NestingTest, epoll_8_8_a_diamond_is_fine) {
  const auto sets = new_sets(4);
  FakeFile a;
  ASSERT_EQ(add(*sets[0], *sets[1], 'L', EPOLLIN), 0);
  ASSERT_EQ(add(*sets[0], *sets[2], 'R', EPOLLIN), 0);
  ASSERT_EQ(add(*sets[1], *sets[3], 'B', EPOLLIN), 0);
  ASSERT_EQ(add(*sets[2], *sets[3], 'B', EPOLLIN), 0);
  ASSERT_EQ(add(*sets[3], a, 'A', EPOLLIN), 0);
  a.data_arrives();
  std::string both = letters(*sets[0]);
  EXPECT_EQ(both, "RL");
}

// The file is watched by `n` sets that are watched by one root: n paths of two sets.
TEST_F(NestingTest, epoll_8_9_five_hundred_paths_of_two) {
  EventPoll& root = new_set();
  FakeFile a;
  const auto middle = new_sets(501);
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_EQ(add(root, *middle[i], 'M', EPOLLIN), 0);
    ASSERT_EQ(add(*middle[i], a, 'A', EPOLLIN), 0) << i;
  }
  ASSERT_EQ(add(root, *middle[500], 'M', EPOLLIN), 0);
  EXPECT_EQ(add(*middle[500], a, 'A', EPOLLIN), EINVAL);
  EXPECT_EQ(del(*middle[500], a, 'A'), ENOENT);
  ASSERT_EQ(del(*middle[7], a, 'A'), 0);  // a DEL elsewhere makes room
  EXPECT_EQ(add(*middle[500], a, 'A', EPOLLIN), 0);
}

TEST_F(NestingTest, epoll_8_9_paths_of_one_are_unlimited) {
  EventPoll::configure({.max_sets = 3000});
  FakeFile a;
  for (EventPoll* set : new_sets(3000)) ASSERT_EQ(add(*set, a, 'A', EPOLLIN), 0);
}

TEST_F(NestingTest, epoll_8_9_limits_by_length) {
  for (const auto& [length, limit] : {std::pair{3u, 100u}, {4u, 50u}, {5u, 10u}}) {
    const auto upper = new_sets(length - 1);
    ASSERT_EQ(chain(upper), 0);
    FakeFile a;
    const auto leaves = new_sets(limit + 1);
    for (std::size_t i = 0; i <= limit; ++i) {
      ASSERT_EQ(add(*leaves[i], a, 'A', EPOLLIN), 0);  // a path of one as yet
      ASSERT_EQ(add(*upper.back(), *leaves[i], 'L', EPOLLIN), i < limit ? 0 : EINVAL) << length;
    }
    EXPECT_EQ(del(*upper.back(), *leaves[limit], 'L'), ENOENT);
  }
}

TEST_F(NestingTest, epoll_8_10_a_wake_up_climbs_all_levels) {
  const auto sets = new_sets(5);
  ASSERT_EQ(chain(sets), 0);
  FakeFile a;
  ASSERT_EQ(add(*sets[4], a, 'A', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { a.data_arrives(); });
  EXPECT_EQ(letters(*sets[0], 8, Duration::ms(10)), "I");
  EXPECT_EQ(context.sleeps, 1u);
}

TEST_F(NestingTest, epoll_8_11_closing_the_inner_wakes_nobody) {
  EventPoll &outer = new_set(), &inner = new_set();
  FakeFile a;
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  context.at(Duration::ms(1), [&] { close(inner); });
  context.at(Duration::ms(2), [&] { a.data_arrives(); });
  EXPECT_EQ(letters(outer, 8, Duration::ms(10)), "");
  EXPECT_EQ(EventPoll::watches_used(), 0u);
}

TEST_F(NestingTest, an_outer_set_polls_the_queues_of_the_inner) {
  EventPoll &outer = new_set(), &inner = new_set(), &later = new_set();
  FakeFile a({}, 1), b({}, 4), c({}, 8);
  ASSERT_EQ(add(inner, a, 'A', EPOLLIN), 0);
  ASSERT_EQ(add(outer, inner, 'I', EPOLLIN), 0);
  ASSERT_EQ(add(inner, b, 'B', EPOLLIN), 0);
  ASSERT_EQ(add(inner, later, 'L', EPOLLIN), 0);
  ASSERT_EQ(add(later, c, 'C', EPOLLIN), 0);
  EXPECT_EQ(letters(outer), "");
  EXPECT_EQ(context.polled, 13u);
}

}  // namespace
}  // namespace pollux
