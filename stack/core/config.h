// config.h - Config: what config/README.md documents, as plain data; parsed in stack/api/config.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "epoll/busy_poll.h"
#include "epoll/fd_table.h"
#include "stack/base/entry.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/shared.h"

namespace pollux {

struct PortConfig {
  std::string name;
  std::string device;  // a DPDK device: "net_tap0,iface=plx0", a PCI address
  std::vector<Prefix> addresses;
  std::optional<IpAddress> gateway;
  std::optional<Prefix> kernel_address;  // given to the kernel's end (TAP)
  std::uint16_t mtu = 0;                 // 0: the device's
  std::uint16_t vlan = 0;                // 0: untagged
  std::uint16_t descriptors = 1024;
  bool checksum_offload = true;
  bool tso = true;
  bool lro = true;
  bool rx_interrupts = true;
  bool probe = false;     // RFC 5227 2.1: whether others have the addresses
  std::string impair_rx;  // "loss=0.01,delay=5ms"
  std::string impair_tx;
  std::uint64_t impair_seed = 1;
  std::string capture;  // a pcap file
};

// Linux: the parameters of a NAPI instance, by their names (Documentation/networking/napi.rst).
struct IrqParams {
  std::uint32_t napi_defer_hard_irqs = 0;  // empty polls of a sleeper before it takes interrupts
  std::int64_t gro_flush_timeout = 0;      // between two of those; nanoseconds
  std::int64_t irq_suspend_timeout = 0;    // how long a set that prefers busy polling keeps
                                           // interrupts out, unless it polls again; nanoseconds
};

struct Config {
  ThreadMode threads = ThreadMode::shared;
  std::uint32_t queues = 1;  // of each port, and so Stacks
  std::uint32_t packets = 6143;
  std::uint32_t descriptors = 65536;
  std::uint32_t sockets = 65536;
  std::uint32_t connections = 65536;
  std::uint32_t listeners = 1024;
  std::uint32_t time_waits = 32768;
  std::uint32_t epoll_sets = 16384;
  std::uint32_t epoll_watches = 262144;
  std::uint32_t kernel_files = 16384;
  std::uint32_t neighbours = 1024;
  std::uint32_t memory_mb = 0;
  bool hugepages = true;
  std::string log = "error";
  // For sets, poll and select: the defaults of a set's own (Linux: net.core.busy_poll).
  BusyPollParams busy_poll{
      .busy_poll_usecs = 50, .busy_poll_budget = kBusyPollBudget, .prefer_busy_poll = false};
  std::uint32_t busy_read = 50;  // SO_BUSY_POLL of new sockets; microseconds
  IrqParams irqs;
  std::uint32_t poll_ceiling_usecs =
      1000;  // longest pause between polls of a device without interrupts
  std::uint32_t softirq_usecs =
      10000;  // the softirq thread takes over after so long without a poll
  tcp::TcpConfig tcp;
  std::vector<PortConfig> ports;
  bool has_one_port = false;  // of those: the first that no other process has
  ForeignNumbers numbers;     // not of the file: the preload library's
  // Who has 127.0.0.0/8 in an unmodified program; unset: the kernel if there is a port.
  std::optional<bool> loopback_is_stacks;
};

}  // namespace pollux
