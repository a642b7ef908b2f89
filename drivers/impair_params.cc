// impair_params.cc - ImpairParams from the text of a configuration key.
#include <charconv>
#include <cmath>
#include <optional>

#include "drivers/impair.h"

namespace pollux {
namespace {

// A number and the word behind it: "5ms" is 5 and "ms".
struct Quantity {
  double number;
  std::string_view unit;
};

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kTimes[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
constexpr Unit kRates[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}};
constexpr double kLargest = 9e18;  // what fits a signed 64-bit count

std::optional<Quantity> quantity(std::string_view text) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  return Quantity{number, text.substr(static_cast<std::size_t>(rest - text.data()))};
}

std::optional<double> plain(std::string_view text) {
  const std::optional<Quantity> q = quantity(text);
  if (!q || !q->unit.empty()) return std::nullopt;
  return q->number;
}

template <std::size_t N>
std::optional<double> with_unit(std::string_view text, const Unit (&units)[N]) {
  const std::optional<Quantity> q = quantity(text);
  if (!q) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name == q->unit && q->number * unit.factor < kLargest) return q->number * unit.factor;
  }
  return std::nullopt;
}

using Error = std::string;  // empty: none

Error set_probability(double& to, std::string_view key, std::string_view value) {
  const std::optional<double> p = plain(value);
  if (!p || *p > 1) return std::string(key) + " wants a probability from 0 to 1";
  to = *p;
  return {};
}

Error set_time(Duration& to, std::string_view key, std::string_view value) {
  const std::optional<double> ns = with_unit(value, kTimes);
  if (!ns || *ns > 1e15) return std::string(key) + " wants a time with ns, us, ms or s: 5ms";
  to = Duration::ns(std::llround(*ns));
  return {};
}

Error set_rate(std::uint64_t& to, std::string_view value) {
  const std::optional<double> rate = with_unit(value, kRates);
  if (!rate) return "rate wants a number with bit, kbit, mbit or gbit: 100mbit";
  to = static_cast<std::uint64_t>(*rate);
  return {};
}

Error set_queue(std::uint32_t& to, std::string_view value) {
  const std::optional<double> packets = plain(value);
  if (!packets || *packets < 1 || *packets > 1e6 || *packets != std::floor(*packets)) {
    return "queue wants a number of packets from 1 to 1000000";
  }
  to = static_cast<std::uint32_t>(*packets);
  return {};
}

Error set(ImpairParams& params, std::string_view key, std::string_view value) {
  if (key == "loss") return set_probability(params.loss, key, value);
  if (key == "duplicate") return set_probability(params.duplicate, key, value);
  if (key == "reorder") return set_probability(params.reorder, key, value);
  if (key == "corrupt") return set_probability(params.corrupt, key, value);
  if (key == "delay") return set_time(params.delay, key, value);
  if (key == "jitter") return set_time(params.jitter, key, value);
  if (key == "rate") return set_rate(params.rate_bits_per_s, value);
  if (key == "queue") return set_queue(params.queue_packets, value);
  return "\"" + std::string(key) +
         "\" is none of loss, duplicate, reorder, corrupt, delay, jitter, rate, queue";
}

}  // namespace

Expected<ImpairParams, std::string> ImpairParams::parse(std::string_view text) {
  ImpairParams params;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return "\"" + std::string(item) + "\" is not of the form key=value";
    }
    const Error error = set(params, item.substr(0, equals), item.substr(equals + 1));
    if (!error.empty()) return error;
  }
  return params;
}

}  // namespace pollux
