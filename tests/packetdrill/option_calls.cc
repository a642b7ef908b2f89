// option_calls.cc - options of sockets, and TCP_INFO.
#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "tests/packetdrill/calls.h"
#include "tests/packetdrill/values.h"

namespace pollux::packetdrill {
namespace {

bool is_time(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}
bool is_linger(int level, int name) { return level == SOL_SOCKET && name == SO_LINGER; }

template <typename T>
std::vector<char> octets_of_value(const T& value) {
  std::vector<char> octets(sizeof value);
  std::memcpy(octets.data(), &value, sizeof value);
  return octets;
}
template <typename T>
T value_of(const std::vector<char>& octets) {
  T value{};
  std::memcpy(&value, octets.data(), std::min(sizeof value, octets.size()));
  return value;
}

std::vector<char> option_value(int level, int name, const Value& value) {
  if (value.kind == Value::Kind::text) return {value.text.begin(), value.text.end()};
  if (is_time(level, name)) {
    return octets_of_value(timeval{field(value, "tv_sec"), field(value, "tv_usec")});
  }
  if (is_linger(level, name)) {
    return octets_of_value(
        linger{static_cast<int>(field(value, "onoff")), static_cast<int>(field(value, "linger"))});
  }
  return octets_of_value(static_cast<int>(number(value)));
}

void check_option(int level, int name, const Value& expected, const std::vector<char>& seen) {
  if (expected.kind == Value::Kind::any) return;
  if (expected.kind == Value::Kind::text) {
    const std::string text(seen.data(), strnlen(seen.data(), seen.size()));
    if (text != expected.text) fail(fmt::format("the option is \"{}\"", text));
  } else if (is_time(level, name)) {
    const auto time = value_of<timeval>(seen);
    check(*expected.field("tv_sec"), time.tv_sec, "tv_sec");
    check(*expected.field("tv_usec"), time.tv_usec, "tv_usec");
  } else if (is_linger(level, name)) {
    const auto value = value_of<linger>(seen);
    check(*expected.field("onoff"), value.l_onoff, "onoff");
    check(*expected.field("linger"), value.l_linger, "linger");
  } else {
    check(expected, value_of<int>(seen), "the option");
  }
}

// With or without the tcpi_ in front.
std::optional<std::int64_t> info_field(const tcp_info& info, const std::string& name) {
#define FIELD(name) \
  { #name, info.tcpi_##name }
  const std::unordered_map<std::string, std::int64_t> fields = {
      // clang-format off
      FIELD(state), FIELD(ca_state), FIELD(retransmits), FIELD(probes), FIELD(backoff),
      FIELD(options), FIELD(snd_wscale), FIELD(rcv_wscale), FIELD(rto), FIELD(ato), FIELD(snd_mss),
      FIELD(rcv_mss),
      FIELD(unacked), FIELD(sacked), FIELD(lost), FIELD(retrans), FIELD(pmtu), FIELD(rcv_ssthresh),
      FIELD(rtt), FIELD(rttvar), FIELD(snd_ssthresh), FIELD(snd_cwnd), FIELD(advmss),
      FIELD(reordering), FIELD(rcv_rtt), FIELD(rcv_space), FIELD(total_retrans),
      FIELD(last_data_sent), FIELD(last_data_recv), FIELD(last_ack_recv),
      // clang-format on
  };
#undef FIELD
  constexpr std::string_view kPrefix = "tcpi_";
  const auto found = fields.find(name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name);
  if (found == fields.end()) return std::nullopt;
  return found->second;
}

bool holds(std::int64_t seen, const std::string& relation, std::int64_t value) {
  if (relation == "==") return seen == value;
  if (relation == "!=") return seen != value;
  if (relation == "<=") return seen <= value;
  if (relation == ">=") return seen >= value;
  return relation == "<" ? seen < value : seen > value;
}

}  // namespace

long Calls::getsockopt(const CallEvent& call) {
  const int level = integer(call, 1), name = integer(call, 2);
  const Value &expected = argument(call, 3), &room = argument(call, 4);
  std::vector<char> value(64);
  if (room.kind != Value::Kind::any) value.resize(static_cast<std::size_t>(number(room)));
  auto length = static_cast<socklen_t>(value.size());
  const int result = table_.getsockopt(table_.userdata, live(argument(call, 0)), level, name,
                                       value.data(), &length);
  if (result != 0) return result;
  check(room, length, "the option's length");
  value.resize(length);
  check_option(level, name, expected, value);
  return result;
}

long Calls::setsockopt(const CallEvent& call) {
  const int level = integer(call, 1), name = integer(call, 2);
  const std::vector<char> value = option_value(level, name, argument(call, 3));
  return table_.setsockopt(table_.userdata, live(argument(call, 0)), level, name, value.data(),
                           static_cast<socklen_t>(value.size()));
}

void Calls::check_info(const InfoEvent& event) {
  tcp_info info{};
  socklen_t length = sizeof info;
  Value fd;
  fd.kind = Value::Kind::number;
  fd.number = event.fd;
  if (table_.getsockopt(table_.userdata, live(fd), SOL_TCP, TCP_INFO, &info, &length) != 0) {
    fail("no TCP_INFO");
  }
  const std::optional<std::int64_t> seen = info_field(info, event.field);
  if (!seen) fail("TCP_INFO has no field " + event.field);
  if (!holds(*seen, event.relation, event.value)) fail(fmt::format("{} is {}", event.field, *seen));
}

}  // namespace pollux::packetdrill
