// free_numbers_test.cc - FreeNumbers against a plain search.
#include "epoll/free_numbers.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace pollux {
namespace {

std::uint32_t searched(const std::set<std::uint32_t>& taken, std::uint32_t from,
                       std::uint32_t capacity) {
  while (from < capacity && taken.contains(from)) ++from;
  return from < capacity ? from : capacity;
}

class FreeNumbersTest : public testing::TestWithParam<std::uint32_t> {};

TEST_P(FreeNumbersTest, finds_what_a_search_finds) {
  const std::uint32_t capacity = GetParam();
  FreeNumbers numbers(capacity);
  std::set<std::uint32_t> taken;
  std::mt19937 random(capacity);
  for (int step = 0; step < 2'000; ++step) {
    const std::uint32_t from = random() % 4 ? 0 : static_cast<std::uint32_t>(random()) % capacity;
    const std::uint32_t found = numbers.lowest_free(from);
    ASSERT_EQ(found, searched(taken, from, capacity)) << "from " << from;
    if (random() % 5 < 3 && found < capacity) {
      numbers.take(found);
      taken.insert(found);
    } else if (!taken.empty()) {
      const auto victim = taken.lower_bound(static_cast<std::uint32_t>(random()) % capacity);
      const std::uint32_t number = victim == taken.end() ? *taken.begin() : *victim;
      numbers.give_back(number);
      taken.erase(number);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Capacities, FreeNumbersTest,
                         testing::Values(1, 2, 63, 64, 65, 130, 1000, 4096, 5000, 300'000));

TEST(FreeNumbers, fills_to_the_last_and_says_so) {
  FreeNumbers numbers(200);
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_EQ(numbers.lowest_free(0), i);
    numbers.take(i);
  }
  EXPECT_EQ(numbers.lowest_free(0), 200u);
  numbers.give_back(77);
  EXPECT_EQ(numbers.lowest_free(0), 77u);
  EXPECT_EQ(numbers.lowest_free(78), 200u);
}

}  // namespace
}  // namespace pollux
