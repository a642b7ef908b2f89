// report.h - what a finished measurement looks like as text and as JSON.
#pragma once

#include <string>

#include "apps/pollux/load.h"

namespace pollux::tool {

struct Report {
  const LoadOptions& options;
  const LoadResult& result;
  const char* calls;   // "pollux" or "kernel"
  std::string server;  // "198.18.0.2:7"
};

// "64 octets over TCP to 198.18.0.2:7 ..." then counts, percentiles and a histogram.
std::string report_text(const Report& report);
// One object; durations in nanoseconds; every non-empty bucket as [lowest, count].
std::string report_json(const Report& report);
// Powers of two from 0.25 us, one line each, the longest bar `width` columns.
std::string histogram_text(const Histogram& histogram, unsigned width);

}  // namespace pollux::tool
