// eal.h - starting DPDK's environment as a good guest in somebody else's process.
#pragma once

#include <cstdint>
#include <string>

namespace pollux {

struct EalOptions {
  bool use_hugepages = true;      // false, or none there: ordinary memory
  std::uint32_t memory_mb = 0;    // memory to reserve without hugepages; 0: as the pools need
  bool probe_pci = false;         // only when a port is named by a PCI address
  std::string log_level = "error";
};

// What went wrong and what to do about it, for people; empty: nothing.
struct DriverError {
  int error = 0;        // errno
  std::string message;  // names the thing, the cause, the remedy
  explicit operator bool() const { return error != 0; }
};

// Once per process. No thread of the caller is pinned, no signal handler left, signal masks kept,
// descriptors close-on-exec, nothing printed. EALREADY a second time.
DriverError start_eal(const EalOptions& options);
void stop_eal();
bool eal_uses_hugepages();

// Sets the calling thread's lcore id to the Stack's while it is inside (mbuf allocation 3.4 ns, from
// an unregistered thread 29 ns), and restores it.
class LcoreScope {
 public:
  explicit LcoreScope(unsigned lcore);
  LcoreScope(const LcoreScope&) = delete;
  LcoreScope& operator=(const LcoreScope&) = delete;
  ~LcoreScope();

 private:
  unsigned before_;
};

}  // namespace pollux
