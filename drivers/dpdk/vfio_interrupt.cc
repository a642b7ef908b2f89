// vfio_interrupt.cc - a walk through a card's capabilities, and the function of EAL's it answers.
#include "drivers/dpdk/vfio_interrupt.h"

#include <rte_eal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

namespace pollux {
namespace {

constexpr std::size_t kHeaderSize = 64;
constexpr std::size_t kStatus = 0x06, kFirstCapability = 0x34;
constexpr unsigned char kHasCapabilities = 0x10, kMsi = 0x05, kMsix = 0x11;

thread_local InterruptKind current_kind = InterruptKind::by_eal;

// Intel's 82574 has MSI-X, and its driver (net_e1000_em) gives its causes no vectors.
bool has_useless_msix(std::span<const unsigned char> space) {
  const unsigned vendor = space[0] | space[1] << 8, device = space[2] | space[3] << 8;
  return vendor == 0x8086 && (device == 0x10d3 || device == 0x10f6);
}

}  // namespace

InterruptKind interrupt_kind(std::span<const unsigned char> space) {
  // Who is not root reads the header only.
  if (space.size() <= kHeaderSize) return InterruptKind::by_eal;
  InterruptKind kind = InterruptKind::legacy;
  if ((space[kStatus] & kHasCapabilities) == 0) return kind;
  std::size_t at = space[kFirstCapability];
  // As many as there is room for: a list that runs in a circle ends, too.
  for (int left = 48; left > 0 && at >= kHeaderSize && at + 1 < space.size(); --left) {
    if (space[at] == kMsix && !has_useless_msix(space)) return InterruptKind::msix;
    if (space[at] == kMsi) kind = InterruptKind::msi;
    at = space[at + 1];
  }
  return kind;
}

VfioInterrupt::VfioInterrupt(const std::string& card) {
  const std::string domain = std::count(card.begin(), card.end(), ':') == 1 ? "0000:" : "";
  std::ifstream file("/sys/bus/pci/devices/" + domain + card + "/config", std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  current_kind = interrupt_kind({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
}

VfioInterrupt::~VfioInterrupt() { current_kind = InterruptKind::by_eal; }

}  // namespace pollux

extern "C" {

rte_intr_mode wrapped_vfio_intr_mode() asm("__wrap_rte_eal_vfio_intr_mode");
rte_intr_mode wrapped_vfio_intr_mode() {
  switch (pollux::current_kind) {
    case pollux::InterruptKind::legacy:
      return RTE_INTR_MODE_LEGACY;
    case pollux::InterruptKind::msi:
      return RTE_INTR_MODE_MSI;
    case pollux::InterruptKind::msix:
      return RTE_INTR_MODE_MSIX;
    default:
      return rte_eal_vfio_intr_mode();
  }
}

}  // extern "C"
