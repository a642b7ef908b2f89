// sockaddr.h - sockaddr_in and sockaddr_in6 as Endpoints, and back.
#pragma once

#include <sys/socket.h>

#include "stack/base/ip_address.h"
#include "stack/base/result.h"

namespace pollux {

// `family`: the socket's. EINVAL: too short; EAFNOSUPPORT: another family; EFAULT: null.
Result<Endpoint> to_endpoint(const sockaddr* address, socklen_t length, int family);
// Writes as much as fits and stores the whole length, as Linux does. Null address: nothing. EFAULT:
// null length; EINVAL: negative.
Result<void> store_endpoint(const Endpoint& endpoint, int family, sockaddr* address,
                            socklen_t* length);
// Also for msg_name: the size of the family's structure.
socklen_t fill_sockaddr(const Endpoint& endpoint, int family, sockaddr_storage& out);

}  // namespace pollux
