// wait_calls.cc - poll and epoll.
#include <fmt/format.h>

#include <algorithm>

#include "tests/packetdrill/calls.h"
#include "tests/packetdrill/values.h"

namespace pollux::packetdrill {

long Calls::poll(const CallEvent& call) {
  std::vector<pollfd> fds;
  const Value& list = argument(call, 0);
  for (const Value& item : list.items) {
    const Value* const fd = item.field("fd");
    if (!fd) fail("a field fd is needed");
    fds.push_back({live(*fd), static_cast<short>(field(item, "events")), 0});
  }
  const int result = table_.poll(table_.userdata, fds.data(), size(call, 1), integer(call, 2));
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const Value* const revents = list.items[i].field("revents");
    if (revents) check(*revents, fds[i].revents, fmt::format("revents of entry {}", i));
  }
  return result;
}

long Calls::epoll_create(const CallEvent& call) {
  const bool has_size = call.name == "epoll_create";
  return table_.epoll_create(table_.userdata, has_size ? integer(call, 0) : 1);
}

// The data is the script's number, or what the field u64 says.
long Calls::epoll_ctl(const CallEvent& call) {
  epoll_event event{};
  const Value& given = call.arguments.size() > 3 ? argument(call, 3) : argument(call, 2);
  if (given.kind == Value::Kind::record) {
    event.events = static_cast<std::uint32_t>(field(given, "events"));
    const Value* const data = given.field("u64");
    event.data.u64 = static_cast<std::uint64_t>(data ? number(*data) : field(given, "fd"));
  }
  return table_.epoll_ctl(table_.userdata, live(argument(call, 0)), integer(call, 1),
                          live(argument(call, 2)), &event);
}

long Calls::epoll_wait(const CallEvent& call) {
  std::vector<epoll_event> events(static_cast<std::size_t>(std::max(integer(call, 2), 1)));
  const int result = table_.epoll_wait(table_.userdata, live(argument(call, 0)), events.data(),
                                       integer(call, 2), integer(call, 3));
  check_events(call, events, result);
  return result;
}

void Calls::check_events(const CallEvent& call, const std::vector<epoll_event>& events,
                         long result) {
  const Value& given = argument(call, 1);
  const std::vector<Value> one = {given};
  const std::vector<Value>& expected = given.kind == Value::Kind::record ? one : given.items;
  for (std::size_t i = 0; i < expected.size() && static_cast<long>(i) < result; ++i) {
    const Value* const mask = expected[i].field("events");
    const Value* const data = expected[i].field(expected[i].field("u64") ? "u64" : "fd");
    if (mask) check(*mask, events[i].events, fmt::format("events of entry {}", i));
    const auto seen = static_cast<std::int64_t>(events[i].data.u64);
    if (data) check(*data, seen, fmt::format("the data of entry {}", i));
  }
}

}  // namespace pollux::packetdrill
