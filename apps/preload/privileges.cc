// privileges.cc - setuid and its like, interposed.
#include "apps/preload/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"
#include "apps/preload/rules.h"

namespace pollux::preload {
namespace {

constexpr std::uint32_t kKept = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;  // both of the low word

struct CapabilitySets {
  __user_cap_data_struct words[2];
};

bool get_capabilities(CapabilitySets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return libc().syscall(SYS_capget, &header, sets.words) == 0;
}
void set_capabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  libc().syscall(SYS_capset, &header, sets.words);
}

std::atomic<bool> keeps_capabilities{false};

// After the change of identity, which with PR_SET_KEEPCAPS has left all that was permitted.
void keep_but_few() {
  CapabilitySets sets{};
  if (!get_capabilities(sets)) return;
  sets = {{{.effective = 0, .permitted = sets.words[0].permitted & kKept, .inheritable = 0}, {}}};
  set_capabilities(sets);
  keeps_capabilities = true;
}

template <typename Change>
int change_identity(Change change) {
  const bool may_need =
      has_rules() && !is_inside() && geteuid() == 0 && prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0;
  if (!may_need) return change();
  open_early();
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  const int result = change();
  const int error = errno;
  prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  uid_t real = 0, effective = 0, saved = 0;
  getresuid(&real, &effective, &saved);
  // While one of them is root's the kernel takes nothing away.
  if (result == 0 && real != 0 && effective != 0 && saved != 0) keep_but_few();
  errno = error;
  return result;
}

}  // namespace

RaisedCapabilities::RaisedCapabilities() {
  CapabilitySets sets{};
  if (!keeps_capabilities || !get_capabilities(sets)) return;
  sets.words[0].effective = sets.words[0].permitted & kKept;
  set_capabilities(sets);
}

RaisedCapabilities::~RaisedCapabilities() {
  CapabilitySets sets{};
  if (!keeps_capabilities || !get_capabilities(sets)) return;
  sets.words[0].effective = 0;
  set_capabilities(sets);
}

void give_up_capabilities() {
  if (keeps_capabilities) set_capabilities({});
}

}  // namespace pollux::preload

using namespace pollux::preload;

INTERPOSED int setuid(uid_t user) noexcept {
  return change_identity([=] { return libc().setuid(user); });
}
INTERPOSED int setreuid(uid_t real, uid_t effective) noexcept {
  return change_identity([=] { return libc().setreuid(real, effective); });
}
INTERPOSED int setresuid(uid_t real, uid_t effective, uid_t saved) noexcept {
  return change_identity([=] { return libc().setresuid(real, effective, saved); });
}
