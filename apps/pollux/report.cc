// report.cc - text, bars and JSON of a measurement.

#include "apps/pollux/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace pollux::tool {

namespace {

constexpr double kPercents[] = {50, 90, 99, 99.9, 99.99};
constexpr std::uint64_t kFirstRowNs = 250;
constexpr unsigned kRows = 32;

double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e3; }

double per_second(const LoadResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.latency.count()) / result.seconds : 0;
}

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

// 1 us, 16 us, 2.0 ms: three significant figures are enough for the edge of a row.
std::string duration_text(std::uint64_t ns) {
  if (ns < 1000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.3g} us", static_cast<double>(ns) / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.3g} ms", static_cast<double>(ns) / 1e6);
  return fmt::format("{:.3g} s", static_cast<double>(ns) / 1e9);
}

struct Row {
  std::uint64_t low;
  std::uint64_t high;
  std::uint64_t count;
};

// Rows from the first to the last that holds anything.
std::vector<Row> rows_of(const Histogram& histogram) {
  std::vector<Row> rows;
  std::uint64_t low = 0;
  std::uint64_t high = kFirstRowNs;
  for (unsigned i = 0; i < kRows; ++i) {
    const std::uint64_t count = histogram.count_between(low, high);
    if (count != 0 || !rows.empty()) rows.push_back({low, high, count});
    low = high;
    high *= 2;
  }
  while (!rows.empty() && rows.back().count == 0) rows.pop_back();
  return rows;
}

}  // namespace

std::string histogram_text(const Histogram& histogram, unsigned width) {
  const std::vector<Row> rows = rows_of(histogram);
  std::uint64_t most = 1;
  for (const Row& row : rows) most = std::max(most, row.count);
  std::string text;
  for (const Row& row : rows) {
    const double share = static_cast<double>(row.count) / static_cast<double>(most);
    auto bar = static_cast<std::size_t>(share * width + 0.5);
    if (row.count != 0) bar = std::max<std::size_t>(bar, 1);
    fmt::format_to(std::back_inserter(text), "{:>7} .. {:<7} {:>11} {}\n", duration_text(row.low),
                   duration_text(row.high), row.count, std::string(bar, '#'));
  }
  return text;
}

std::string report_text(const Report& report) {
  const LoadOptions& options = report.options;
  const Histogram& latency = report.result.latency;
  std::string text =
      fmt::format("{} octets over {} to {}, {} connection{}, depth {}, through {}{}\n",
                  options.size, options.udp ? "UDP" : "TCP", report.server, options.connections,
                  options.connections == 1 ? "" : "s", options.depth,
                  std::string_view(report.calls) == "pollux" ? "Pollux" : "the kernel",
                  options.spin ? ", spinning" : "");
  auto out = std::back_inserter(text);
  fmt::format_to(out, "  requests {:>12} in {:.2f} s: {} per second\n", grouped(latency.count()),
                 report.result.seconds,
                 grouped(static_cast<std::uint64_t>(per_second(report.result))));
  if (options.udp) fmt::format_to(out, "  lost     {:>12}\n", grouped(report.result.lost));
  if (report.result.corrupt != 0) fmt::format_to(out, "  CORRUPT  {:>12}\n", report.result.corrupt);
  fmt::format_to(out, "  min      {:>12.2f} us\n", microseconds(latency.min()));
  for (const double percent : kPercents) {
    fmt::format_to(out, "  p{:<8}{:>12.2f} us\n", fmt::format("{:g}", percent),
                   microseconds(latency.percentile(percent)));
  }
  fmt::format_to(out, "  max      {:>12.2f} us\n\n", microseconds(latency.max()));
  return text + histogram_text(latency, 40);
}

std::string report_json(const Report& report) {
  const LoadOptions& options = report.options;
  const Histogram& latency = report.result.latency;
  std::string text = fmt::format(
      "{{\"calls\": \"{}\", \"protocol\": \"{}\", \"server\": \"{}\", \"connections\": {}, "
      "\"depth\": {}, \"size\": {}, \"spin\": {},\n",
      report.calls, options.udp ? "udp" : "tcp", report.server, options.connections, options.depth,
      options.size, options.spin);
  auto out = std::back_inserter(text);
  fmt::format_to(out,
                 " \"requests\": {}, \"seconds\": {:.6f}, \"requests_per_second\": {:.1f}, "
                 "\"lost\": {}, \"corrupt\": {},\n",
                 latency.count(), report.result.seconds, per_second(report.result),
                 report.result.lost, report.result.corrupt);
  fmt::format_to(out, " \"latency_ns\": {{\"min\": {}, \"mean\": {:.1f}", latency.min(),
                 latency.mean());
  for (const double percent : kPercents) {
    fmt::format_to(out, ", \"p{:g}\": {}", percent, latency.percentile(percent));
  }
  fmt::format_to(out, ", \"max\": {}}},\n \"histogram_ns\": [", latency.max());
  const char* separator = "";
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (latency.count_in(i) == 0) continue;
    fmt::format_to(out, "{}[{}, {}]", separator, Histogram::lowest_of(i), latency.count_in(i));
    separator = ", ";
  }
  return text + "]}\n";
}

}  // namespace pollux::tool
