// impair_params_test.cc - the text of the configuration key, right and wrong.
#include <gtest/gtest.h>

#include "drivers/impair.h"

namespace pollux {
namespace {

std::string error_of(const char* text) {
  const auto parsed = ImpairParams::parse(text);
  return parsed.ok() ? "" : parsed.error();
}

TEST(ImpairParams, every_key_is_read) {
  const auto parsed = ImpairParams::parse(
      "loss=0.01,duplicate=0.5,reorder=1,corrupt=0,delay=5ms,jitter=1.5us,rate=100mbit,queue=64");
  ASSERT_TRUE(parsed.ok()) << parsed.error();
  EXPECT_DOUBLE_EQ(parsed->loss, 0.01);
  EXPECT_DOUBLE_EQ(parsed->duplicate, 0.5);
  EXPECT_DOUBLE_EQ(parsed->reorder, 1);
  EXPECT_DOUBLE_EQ(parsed->corrupt, 0);
  EXPECT_EQ(parsed->delay, Duration::ms(5));
  EXPECT_EQ(parsed->jitter, Duration::ns(1'500));
  EXPECT_EQ(parsed->rate_bits_per_s, 100'000'000u);
  EXPECT_EQ(parsed->queue_packets, 64u);
}

TEST(ImpairParams, nothing_is_nothing) {
  const auto parsed = ImpairParams::parse("");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->loss, 0);
  EXPECT_EQ(parsed->delay, Duration());
}

TEST(ImpairParams, errors_name_what_is_wrong) {
  EXPECT_EQ(error_of("loss=1.5"), "loss wants a probability from 0 to 1");
  EXPECT_EQ(error_of("loss=-1"), "loss wants a probability from 0 to 1");
  EXPECT_EQ(error_of("loss=nan"), "loss wants a probability from 0 to 1");
  EXPECT_EQ(error_of("loss=10%"), "loss wants a probability from 0 to 1");
  EXPECT_EQ(error_of("delay=5"), "delay wants a time with ns, us, ms or s: 5ms");
  EXPECT_EQ(error_of("jitter=1e30s"), "jitter wants a time with ns, us, ms or s: 5ms");
  EXPECT_EQ(error_of("rate=9"), "rate wants a number with bit, kbit, mbit or gbit: 100mbit");
  EXPECT_EQ(error_of("queue=0"), "queue wants a number of packets from 1 to 1000000");
  EXPECT_EQ(error_of("loss"), "\"loss\" is not of the form key=value");
  EXPECT_NE(error_of("lose=0.1").find("\"lose\" is none of loss, duplicate"), std::string::npos);
}

}  // namespace
}  // namespace pollux
