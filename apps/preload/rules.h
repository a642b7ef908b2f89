// rules.h - which addresses are the stack's: POLLUX_RULES, made by `pollux run`.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace pollux::preload {

enum class Use : std::uint8_t { at, to };  // bind; connect and sendto

// False: no rules (not under `pollux run`, or set-user-ID): the library does nothing at all.
bool has_rules();
// Of an AF_INET or AF_INET6 address; of anything else the kernel is to say what is wrong with it.
bool is_stacks(Use use, const sockaddr* address, socklen_t length);

}  // namespace pollux::preload
