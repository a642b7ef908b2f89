// report_test.cc - the text and the JSON of a measurement with known values.

#include "apps/pollux/report.h"

#include <gtest/gtest.h>

#include <memory>

namespace pollux::tool {
namespace {

std::unique_ptr<LoadResult> hundred_answers() {
  auto result = std::make_unique<LoadResult>();
  for (int i = 0; i < 98; ++i) result->latency.record(1'500);
  result->latency.record(900);
  result->latency.record(9'000);
  result->seconds = 0.5;
  return result;
}

TEST(Report, histogram_has_a_row_per_octave_from_first_to_last) {
  const std::string text = histogram_text(hundred_answers()->latency, 10);
  EXPECT_EQ(text,
            " 500 ns .. 1 us              1 #\n"
            "   1 us .. 2 us             98 ##########\n"
            "   2 us .. 4 us              0 \n"
            "   4 us .. 8 us              0 \n"
            "   8 us .. 16 us             1 #\n");
  EXPECT_EQ(histogram_text(LoadResult{}.latency, 10), "");
}

TEST(Report, text_says_what_was_measured_and_how_fast) {
  const LoadOptions options;
  const auto result = hundred_answers();
  const std::string text = report_text({options, *result, "kernel", "198.18.0.2:7"});
  EXPECT_NE(text.find("64 octets over TCP to 198.18.0.2:7, 1 connection, depth 1, through the "
                      "kernel\n"),
            std::string::npos);
  EXPECT_NE(text.find("100 in 0.50 s: 200 per second\n"), std::string::npos);
  EXPECT_NE(text.find("p50              1.50 us\n"), std::string::npos);
  EXPECT_EQ(text.find("CORRUPT"), std::string::npos);
}

TEST(Report, text_tells_of_lost_and_corrupt_answers) {
  LoadOptions options;
  options.udp = true;
  auto result = hundred_answers();
  result->lost = 3;
  result->corrupt = 1;
  const std::string text = report_text({options, *result, "pollux", "198.18.0.2:7"});
  EXPECT_NE(text.find("lost                3\n"), std::string::npos);
  EXPECT_NE(text.find("CORRUPT             1\n"), std::string::npos);
}

TEST(Report, json_has_nanoseconds_and_every_bucket) {
  const LoadOptions options;
  const auto result = hundred_answers();
  const std::string text = report_json({options, *result, "pollux", "198.18.0.2:7"});
  EXPECT_NE(text.find("\"requests_per_second\": 200.0"), std::string::npos);
  EXPECT_NE(text.find("\"p99.99\": 8992, \"max\": 9000}"), std::string::npos);
  EXPECT_NE(text.find("\"histogram_ns\": [[900, 1], [1496, 98], [8960, 1]]}"), std::string::npos);
}

}  // namespace
}  // namespace pollux::tool
