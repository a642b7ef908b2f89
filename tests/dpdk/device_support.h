// device_support.h - opening a port in a test, and waiting for what a device does in its own time.
#pragma once

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "drivers/dpdk/port.h"
#include "tests/support/eal_environment.h"
#include "tests/support/packets.h"

namespace pollux::testing_support {

inline std::unique_ptr<Port> open_port(const std::string& device) {
  DriverError error;
  std::unique_ptr<Port> port = Port::open({.name = "test", .device = device}, test_pool(), error);
  EXPECT_TRUE(port) << error.message;
  return port;
}

// Real devices need real time: asks `is_done` until it says yes, for five seconds at most.
template <typename Question>
bool eventually(Question is_done) {
  const timespec pause{0, 50'000};
  for (int i = 0; i < 100'000; ++i) {
    if (is_done()) return true;
    if (i > 1000) nanosleep(&pause, nullptr);
  }
  return false;
}

// What arrived with the given EtherType: the kernel sends things of its own accord.
inline std::vector<Octets> receive_frames(NetDevice& device, std::uint16_t ether_type) {
  std::vector<Octets> frames;
  std::array<Packet, 32> out;
  const std::size_t n = device.rx_burst(out);
  for (std::size_t i = 0; i < n; ++i) {
    const auto* type = out[i].peek<be16>(12);
    if (type && *type == ether_type) frames.push_back(octets_of(out[i]));
  }
  return frames;
}

inline constexpr std::uint16_t kTestType = 0x88b5;  // IEEE: for local experiments

// An Ethernet frame of `size` octets to everybody, numbered.
inline Octets test_frame(std::size_t size, std::uint32_t number) {
  Octets frame(size, std::byte{0x5a});
  std::fill_n(frame.begin(), 6, std::byte{0xff});
  const MacAddress source{0x02, 0, 0, 0, 0, 9};
  std::memcpy(&frame[6], source.data(), source.size());
  const be16 type = kTestType;
  std::memcpy(&frame[12], &type, sizeof type);
  std::memcpy(&frame[14], &number, sizeof number);
  return frame;
}

// Privileged tests skip where they cannot run, except in CI.
inline bool may_skip() { return std::getenv("CI") == nullptr; }

}  // namespace pollux::testing_support
