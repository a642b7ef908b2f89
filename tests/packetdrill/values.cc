// values.cc - a script's values as what calls take.
#include "tests/packetdrill/values.h"

#include <fmt/format.h>

namespace pollux::packetdrill {

void fail(const std::string& message) { throw Failure{0, message}; }

const Value& argument(const CallEvent& call, std::size_t index) {
  if (index >= call.arguments.size()) {
    fail(fmt::format("{} takes {} arguments", call.name, index + 1));
  }
  return call.arguments[index];
}

std::int64_t number(const Value& value) {
  if (value.kind == Value::Kind::list && value.items.size() == 1) return number(value.items[0]);
  if (value.kind != Value::Kind::number) fail("a number is needed where there is none");
  return value.number;
}
int integer(const CallEvent& call, std::size_t index) {
  return static_cast<int>(number(argument(call, index)));
}
std::size_t size(const CallEvent& call, std::size_t index) {
  return static_cast<std::size_t>(number(argument(call, index)));
}

std::int64_t field(const Value& record, const char* name) {
  const Value* found = record.field(name);
  if (!found) fail(fmt::format("a field {} is needed", name));
  return number(*found);
}

void check(const Value& expected, std::int64_t seen, const std::string& what) {
  if (expected.kind == Value::Kind::any || number(expected) == seen) return;
  fail(fmt::format("{}: {} (0x{:x}) instead of {} (0x{:x})", what, seen, seen, number(expected),
                   number(expected)));
}

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(endpoint.port);
  in.sin_addr.s_addr = htonl(endpoint.address.v4_bits());
  return in;
}
const sockaddr* as_sockaddr(const sockaddr_in& in) {
  return reinterpret_cast<const sockaddr*>(&in);
}
sockaddr* as_sockaddr(sockaddr_in& in) { return reinterpret_cast<sockaddr*>(&in); }

}  // namespace pollux::packetdrill
