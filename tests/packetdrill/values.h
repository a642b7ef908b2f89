// values.h - what calls take, out of a script's values; all throw Failure when it is not there.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "stack/base/ip_address.h"
#include "tests/packetdrill/script.h"

namespace pollux::packetdrill {

[[noreturn]] void fail(const std::string& message);

const Value& argument(const CallEvent& call, std::size_t index);
std::int64_t number(const Value& value);  // of [3] too
int integer(const CallEvent& call, std::size_t index);
std::size_t size(const CallEvent& call, std::size_t index);
std::int64_t field(const Value& record, const char* name);
// `what` is said when they differ.
void check(const Value& expected, std::int64_t seen, const std::string& what);

sockaddr_in to_sockaddr(const Endpoint& endpoint);
const sockaddr* as_sockaddr(const sockaddr_in& in);
sockaddr* as_sockaddr(sockaddr_in& in);

}  // namespace pollux::packetdrill
