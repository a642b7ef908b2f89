// calls.cc - arguments out of values, and answers back against them.
#include "tests/packetdrill/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/packetdrill/values.h"

namespace pollux::packetdrill {
struct Calls::Name {
  const char* name;
  long (Calls::*make)(const CallEvent&);
  bool is_extra;
};

const Calls::Name* Calls::find(const std::string& name) {
  static const Name kNames[] = {
      {"socket", &Calls::socket, false},
      {"bind", &Calls::bind, false},
      {"listen", &Calls::listen, false},
      {"accept", &Calls::accept, false},
      {"accept4", &Calls::accept4, true},
      {"connect", &Calls::connect, false},
      {"close", &Calls::close, false},
      {"dup", &Calls::dup, true},
      {"shutdown", &Calls::shutdown, false},
      {"fcntl", &Calls::fcntl, false},
      {"ioctl", &Calls::ioctl, false},
      {"getsockname", &Calls::getsockname, true},
      {"getpeername", &Calls::getpeername, true},
      {"getsockopt", &Calls::getsockopt, false},
      {"setsockopt", &Calls::setsockopt, false},
      {"read", &Calls::read, false},
      {"recv", &Calls::recv, false},
      {"recvfrom", &Calls::recvfrom, false},
      {"readv", &Calls::readv, false},
      {"recvmsg", &Calls::recvmsg, false},
      {"write", &Calls::write, false},
      {"send", &Calls::send, false},
      {"sendto", &Calls::sendto, false},
      {"writev", &Calls::writev, false},
      {"sendmsg", &Calls::sendmsg, false},
      {"poll", &Calls::poll, false},
      {"epoll_create", &Calls::epoll_create, false},
      {"epoll_create1", &Calls::epoll_create, false},
      {"epoll_ctl", &Calls::epoll_ctl, false},
      {"epoll_wait", &Calls::epoll_wait, false},
  };
  const auto* const found = std::find_if(std::begin(kNames), std::end(kNames),
                                         [&](const Name& one) { return name == one.name; });
  return found == std::end(kNames) ? nullptr : found;
}

bool Calls::has(const CallEvent& call) const {
  const Name* const name = find(call.name);
  return !name || !name->is_extra || extras_;
}

void Calls::make(const CallEvent& call) {
  const Name* const name = find(call.name);
  if (!name) fail("no call is named " + call.name);
  errno = 0;
  const long result = (this->*name->make)(call);
  check_result(call, result, errno);
}

void Calls::check_result(const CallEvent& call, long result, int error) {
  const char* const error_name = result < 0 ? strerrorname_np(error) : nullptr;
  const std::string seen = fmt::format("{} returned {}{}{}", call.name, result,
                                       error_name ? " " : "", error_name ? error_name : "");
  if (call.result.kind == Value::Kind::any) return;
  if (!call.error.empty()) {
    if (result != -1 || error_name != call.error) fail(seen);
    return;
  }
  if (call.name == "socket" || call.name.starts_with("accept") || call.name == "dup" ||
      call.name.starts_with("epoll_create")) {
    if (result < 0) fail(seen);
    return note_descriptor(call, result);
  }
  if (result != call.result.number) fail(seen);
}

void Calls::note_descriptor(const CallEvent& call, long result) {
  live_[call.result.number] = static_cast<int>(result);
  streams_[call.result.number] = Stream{};
}

int Calls::live(const Value& fd) const {
  const auto found = live_.find(number(fd));
  // A number that the script has not got from a call is one that is not open.
  return found == live_.end() ? 4095 : found->second;
}

Endpoint Calls::address_of(const Value& value, const Endpoint& otherwise) {
  Endpoint endpoint = otherwise;
  if (const Value* port = value.field("sin_port")) {
    endpoint.port = static_cast<std::uint16_t>(number(*port));
  }
  if (const Value* address = value.field("sin_addr")) {
    const std::optional<IpAddress> parsed = IpAddress::parse(address->text);
    if (!parsed) fail("no address: \"" + address->text + "\"");
    endpoint.address = *parsed;
  }
  return endpoint;
}

long Calls::socket(const CallEvent& call) {
  const Value& domain = argument(call, 0);
  const int family = domain.kind == Value::Kind::any ? AF_INET : static_cast<int>(domain.number);
  return table_.socket(table_.userdata, family, integer(call, 1), integer(call, 2));
}

long Calls::bind(const CallEvent& call) {
  const sockaddr_in in = to_sockaddr(address_of(argument(call, 1), {kLocal, kServerPort}));
  return table_.bind(table_.userdata, live(argument(call, 0)), as_sockaddr(in), sizeof in);
}

long Calls::listen(const CallEvent& call) {
  return table_.listen(table_.userdata, live(argument(call, 0)), integer(call, 1));
}

long Calls::accept(const CallEvent& call) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  return table_.accept(table_.userdata, live(argument(call, 0)), as_sockaddr(in), &length);
}

long Calls::accept4(const CallEvent& call) {
  return extras_->accept4(table_.userdata, live(argument(call, 0)), nullptr, nullptr,
                          integer(call, 3));
}

long Calls::connect(const CallEvent& call) {
  const sockaddr_in in = to_sockaddr(address_of(argument(call, 1), {kPeer, kServerPort}));
  return table_.connect(table_.userdata, live(argument(call, 0)), as_sockaddr(in), sizeof in);
}

long Calls::close(const CallEvent& call) {
  const long result = table_.close(table_.userdata, live(argument(call, 0)));
  live_.erase(number(argument(call, 0)));
  return result;
}

long Calls::dup(const CallEvent& call) {
  return extras_->dup(table_.userdata, live(argument(call, 0)));
}

long Calls::shutdown(const CallEvent& call) {
  return table_.shutdown(table_.userdata, live(argument(call, 0)), integer(call, 1));
}

long Calls::fcntl(const CallEvent& call) {
  const long value = call.arguments.size() > 2 ? integer(call, 2) : 0;
  return table_.fcntl(table_.userdata, live(argument(call, 0)), integer(call, 1), value);
}

long Calls::ioctl(const CallEvent& call) {
  const Value& expected = argument(call, 2);
  const auto request = static_cast<unsigned long>(number(argument(call, 1)));
  int value = expected.kind == Value::Kind::any ? 0 : static_cast<int>(number(expected));
  const int result = table_.ioctl(table_.userdata, live(argument(call, 0)), request, &value);
  if (result == 0) check(expected, value, "the value");
  return result;
}

long Calls::name_call(const CallEvent& call, int (*get)(void*, int, sockaddr*, socklen_t*)) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  const int result = get(table_.userdata, live(argument(call, 0)), as_sockaddr(in), &length);
  const Endpoint seen{IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  const Endpoint expected = address_of(argument(call, 1), seen);
  if (result == 0 && expected != seen) fail("the name is " + seen.to_string());
  return result;
}

long Calls::getsockname(const CallEvent& call) { return name_call(call, extras_->getsockname); }
long Calls::getpeername(const CallEvent& call) { return name_call(call, extras_->getpeername); }

}  // namespace pollux::packetdrill
