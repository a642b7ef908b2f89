// calls.cc - libc's own versions, found once.
#include "apps/preload/calls.h"

#include <dlfcn.h>

#include <atomic>

namespace pollux::preload {
namespace {

Libc libc_calls;
std::atomic<bool> is_found{false};

// Several threads may do it at once: they all write the same.
void find() {
#define PRELOAD_FIND(name) \
  libc_calls.name = reinterpret_cast<decltype(&::name)>(dlsym(RTLD_NEXT, #name));
  PRELOAD_CALLS(PRELOAD_FIND)
#undef PRELOAD_FIND
  is_found.store(true, std::memory_order_release);
}

}  // namespace

const Libc& libc() {
  if (!is_found.load(std::memory_order_acquire)) find();
  return libc_calls;
}

}  // namespace pollux::preload
