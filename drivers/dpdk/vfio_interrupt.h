// vfio_interrupt.h - VfioInterrupt: which kind of interrupt a card is given.
#pragma once

#include <span>
#include <string>

namespace pollux {

enum class InterruptKind { by_eal, legacy, msi, msix };

// From a card's configuration space: MSI-X, which has a vector for each queue, where it works; else
// MSI; else the pin. by_eal where the space cannot be read that far: EAL then takes MSI-X.
InterruptKind interrupt_kind(std::span<const unsigned char> configuration_space);

// EAL has one answer for all cards of a process (--vfio-intr), and takes one without MSI-X for one
// with it. While this lives, the cards that its thread probes are given the kind that suits `card`.
class VfioInterrupt {
 public:
  explicit VfioInterrupt(const std::string& card);
  VfioInterrupt(const VfioInterrupt&) = delete;
  VfioInterrupt& operator=(const VfioInterrupt&) = delete;
  ~VfioInterrupt();
};

}  // namespace pollux
