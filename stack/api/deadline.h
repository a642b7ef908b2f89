// deadline.h - the timeouts of Linux's calls as points in time.
#pragma once

#include <sys/time.h>
#include <time.h>

#include "stack/base/instant.h"
#include "stack/base/result.h"

namespace pollux {

// Milliseconds as epoll_wait and poll take them: negative waits for ever, 0 looks once.
Instant deadline_of_ms(int timeout_ms, Instant now);
// Null: for ever. EFAULT: the kernel's address. EINVAL: negative, or nanoseconds not below 10^9.
Result<Instant> deadline_of(const timespec* timeout, Instant now);
// select(2): microseconds may exceed a second. Errors as above.
Result<Instant> deadline_of(const timeval* timeout, Instant now);
// What is left until `deadline`, as select(2) writes back.
timeval remaining(Instant deadline, Instant now);

}  // namespace pollux
