// host.h - Host: everything of Pollux in this process; made by plx_init, one at a time.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "drivers/dpdk/port.h"
#include "drivers/dpdk/tsc_clock.h"
#include "drivers/packet_pool.h"
#include "drivers/pcap_tap.h"
#include "epoll/fd_table.h"
#include "stack/core/config.h"
#include "stack/core/peers.h"
#include "stack/core/poll_context.h"
#include "stack/core/port_claims.h"
#include "stack/core/softirq.h"
#include "stack/core/stack.h"

namespace pollux {

// What a simulation has in place of a machine; outlives the Host. Devices have one queue.
struct Surroundings {
  struct Device {
    NetDevice& device;
    PortConfig config;
  };
  Clock& clock;
  PollContext& context;
  std::vector<Device> devices;
};

// Members are destroyed in reverse: first the threads, then the world, then its devices and memory.
class Host {
 public:
  // Null, and `error` says what to do, when something cannot be had.
  static std::unique_ptr<Host> start(const Config& config, PortClaims claims, DriverError& error);
  // The same with time, waits and devices from outside, in a process whose EAL has been started; no
  // thread is. What is open at its end is reset at once.
  static std::unique_ptr<Host> simulate(const Config& config, const Surroundings& surroundings,
                                        DriverError& error);
  // Resets what is open. No thread may be inside a call.
  ~Host();

  FdTable& fds() { return fds_; }
  // Each thread's stream sockets are one Stack's, in turn; those of datagrams are the first one's.
  Stack& stack_for_new_socket(bool is_stream);
  static Stack& stack_of(Socket& socket) { return static_cast<Stack&>(socket.world().gate); }
  const Peers& stacks() const { return peers_; }
  PollContext& poll_context() { return context_; }
  const BusyPollParams& busy_poll() const { return config_.busy_poll; }
  const Config& config() const { return config_; }
  // Closes every descriptor, delivers what was sent (for a while), resets what is open then. Other
  // threads may be inside calls.
  void leave();
  // In a forked child: its devices are the parent's.
  void abandon_claims();
  // "nic_PORT_NAME" for everything that the ports' drivers count. Any thread.
  std::vector<PortCount> device_counts() const;
  // epoll_wait, poll or select has returned `events` events: writes that follow may leave together.
  void note_wait_returned(unsigned events);

 private:
  // A port, and what its configuration wraps around each of its queues.
  struct Device {
    std::string name;
    std::unique_ptr<Port> port;
    std::vector<std::unique_ptr<NetDevice>> wrappers;  // each around one before, or a queue
  };
  // A Stack and what polls it.
  struct World {
    std::unique_ptr<Stack> stack;
    std::unique_ptr<Napi> napi;
    std::vector<PcapTap*> captures;  // of its queues
  };

  // `surroundings`: null on a machine.
  Host(const Config& config, std::vector<DeviceClaim> claims, std::vector<PacketPool> pools,
       const Surroundings* surroundings);
  DriverError add_port(const PortConfig& config);
  // The outermost of what is around a queue.
  NetDevice* wrap(Device& device, unsigned queue, const PortConfig& config, DriverError& error);
  DriverError wait_for_addresses();
  void start_softirq();

  const Config config_;
  std::vector<DeviceClaim> claims_;
  TscClock machine_clock_;
  Clock& clock_;
  FdTable fds_;
  std::vector<PacketPool> pools_;  // one for each queue
  std::vector<Device> devices_;
  std::unique_ptr<tcp::Ports> ports_;
  Peers peers_;
  std::vector<World> worlds_;                          // one for each queue
  std::atomic<unsigned> threads_{0};                   // that have made stream sockets
  std::unique_ptr<StackPollContext> machine_context_;  // null: simulated
  PollContext& context_;
  std::unique_ptr<Softirq> softirq_;
};

// How much the packets and the devices take: of hugepages, or of ordinary pages.
struct MemoryNeeds {
  std::uint32_t hugepages_mb, pages_mb;
};
MemoryNeeds memory_needs(const Config& config);

// Null before plx_init, after plx_exit, and in a forked child.
Host* host();
void set_host(Host* host);

}  // namespace pollux
