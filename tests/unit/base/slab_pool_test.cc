// slab_pool_test.cc - SlabPool and Ring: exhaustion, reuse, order.
#include <gtest/gtest.h>

#include <string>

#include "stack/base/ring.h"
#include "stack/base/slab_pool.h"

namespace pollux {
namespace {

TEST(SlabPool, exhausts_and_recovers) {
  SlabPool<std::string> pool(3);
  std::string* a = pool.create("a");
  std::string* b = pool.create("b");
  std::string* c = pool.create("c");
  EXPECT_EQ(pool.create("d"), nullptr);
  EXPECT_EQ(pool.used(), 3u);
  pool.destroy(b);
  std::string* again = pool.create("e");
  EXPECT_EQ(again, b);  // addresses are reused, memory never moves
  EXPECT_EQ(pool.high_water(), 3u);
  pool.destroy(a);
  pool.destroy(again);
  pool.destroy(c);
  EXPECT_EQ(pool.used(), 0u);
}

TEST(Ring, keeps_order_and_refuses_when_full) {
  Ring<int> ring(2);
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(ring.push(3));
  EXPECT_EQ(ring.pop(), 1);
  EXPECT_TRUE(ring.push(3));
  EXPECT_EQ(ring.pop(), 2);
  EXPECT_EQ(ring.pop(), 3);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace pollux
