// eal.h - starting DPDK's environment as a good guest in somebody else's process.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/driver_error.h"

namespace pollux {

struct EalOptions {
  bool use_hugepages = true;  // false, or none there: ordinary memory
  // Without hugepages: how much to reserve, touched only as used.
  std::uint32_t memory_mb = 256;
  // They are used where so much is free in them; it is taken when the pools are made.
  std::uint32_t hugepages_mb = 1;
  bool probe_pci = false;  // only when a port is named by a PCI address
  // error, warning, notice, info, debug. From notice on the log goes to stderr too; below, it is
  // kept for DriverError to quote.
  std::string log_level = "error";
};

// Once per process. No thread of the caller is pinned, no signal handler left, signal masks kept,
// descriptors close-on-exec, nothing printed. EALREADY a second time, also after stop_eal().
// One descriptor escapes: EAL opens a new epoll, without the flag, when a PCI driver registers its
// interrupt.
DriverError start_eal(const EalOptions& options);
void stop_eal();
bool eal_uses_hugepages();
// What strangers sent does not belong in a core dump, which would be as large as the memory
// reserved, too. Once all pools are made.
void keep_packets_out_of_dumps();

// Sets the calling thread's lcore id to the Stack's while it is inside (mbuf allocation 3.4 ns,
// from an unregistered thread 29 ns), and restores it.
class LcoreScope {
 public:
  explicit LcoreScope(unsigned lcore);
  LcoreScope(const LcoreScope&) = delete;
  LcoreScope& operator=(const LcoreScope&) = delete;
  ~LcoreScope() { id_ = before_; }

 private:
  unsigned& id_;  // the thread's own: where it is costs a call of the loader, so asked once
  unsigned before_;
};

}  // namespace pollux
