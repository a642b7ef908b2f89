// host.cc - start-up: environment, memory, devices, world, threads; in this order.
#include "stack/core/host.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "drivers/device_name.h"
#include "drivers/impair.h"
#include "drivers/kernel_interface.h"
#include "drivers/pcap_tap.h"
#include "epoll/eventpoll.h"
#include "stack/core/inside.h"
#include "stack/socket/socket.h"

namespace pollux {
namespace {

constexpr std::uint16_t kDataRoom = 2048;
constexpr Duration kLastDeliveries = Duration::seconds(1);
constexpr useconds_t kDeliveryPauseUsecs = 100;

Host* the_host = nullptr;

// In a forked child the stack is the parent's: its descriptors answer EBADF (design 6).
void forget_host_in_child() {
  if (the_host) the_host->abandon_claims();
  the_host = nullptr;
}

template <typename T>
void fill_randomly(T& value) {
  auto* octets = reinterpret_cast<std::byte*>(&value);
  for (std::size_t done = 0; done < sizeof(T);) {
    const ssize_t n = getrandom(octets + done, sizeof(T) - done, 0);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

EalOptions eal_options(const Config& config) {
  EalOptions options;
  options.use_hugepages = config.hugepages;
  options.hugepages_mb = memory_needs(config).hugepages_mb;
  options.memory_mb = memory_needs(config).pages_mb;
  options.log_level = config.log;
  for (const PortConfig& port : config.ports) options.probe_pci |= is_pci_address(port.device);
  return options;
}

// Address space that the tables and threads take at most; it is touched only as used.
std::size_t tables_size(const Config& config) {
  constexpr std::size_t kThreads = 32 << 20, kLarge = 1024, kSmall = 192;
  const std::size_t in_each_stack =
      (std::size_t{config.connections} + config.listeners) * kLarge + config.time_waits * kSmall;
  const std::size_t for_all =
      config.sockets * kLarge + (std::size_t{config.epoll_watches} + config.epoll_sets * 2 +
                                 config.kernel_files + config.descriptors) *
                                    kSmall;
  return kThreads + in_each_stack * config.queues + for_all;
}

// A program whose memory is limited (ulimit -v) loses its stack rather than its life.
DriverError find_address_space(std::size_t size) {
  void* const room =
      ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room != MAP_FAILED) ::munmap(room, size);
  if (room != MAP_FAILED) return {};
  return {ENOMEM, fmt::format("no address space for tables of {} MB, which are touched only as "
                              "used: allow more (ulimit -v), or lower stack.connections, "
                              "stack.sockets and stack.epoll_watches",
                              size >> 20)};
}

// `packets` in equal parts, one for each queue.
DriverError make_pools(const Config& config, std::vector<PacketPool>& pools) {
  for (unsigned i = 0; i < config.queues; ++i) {
    const std::string name = i == 0 ? "pollux" : fmt::format("pollux{}", i);
    Result<PacketPool> pool = PacketPool::create(name, config.packets / config.queues, kDataRoom);
    if (!pool) {
      const MemoryNeeds needs = memory_needs(config);
      return {
          static_cast<int>(pool.error()),
          fmt::format("no memory for {} packets ({} MB). Lower stack.packets, raise "
                      "stack.memory_mb, or reserve hugepages: echo 64 > "
                      "/proc/sys/vm/nr_hugepages",
                      config.packets, eal_uses_hugepages() ? needs.hugepages_mb : needs.pages_mb)};
    }
    pools.push_back(std::move(*pool));
  }
  return {};
}

}  // namespace

Host* host() { return the_host; }

MemoryNeeds memory_needs(const Config& config) {
  // 4095 packets took 12 MB of hugepages. In an ordinary page DPDK puts one packet.
  constexpr std::uint64_t kInHugepages = 2560, kInPages = 4096;
  constexpr std::uint32_t kEalAndRingsMb = 8;
  const auto megabytes = [&config](std::uint64_t octets) {
    const auto ports = static_cast<std::uint32_t>(config.ports.size());
    return static_cast<std::uint32_t>(config.packets * octets >> 20) + kEalAndRingsMb + 3 * ports;
  };
  if (config.memory_mb != 0) return {config.memory_mb, config.memory_mb};
  return {megabytes(kInHugepages), megabytes(kInPages)};
}

void set_host(Host* host) {
  static const int registered = pthread_atfork(nullptr, nullptr, forget_host_in_child);
  CHECK(registered == 0);
  the_host = host;
}

std::unique_ptr<Host> Host::start(const Config& config, PortClaims claims, DriverError& error) {
  error = start_eal(eal_options(config));
  if (!error) error = find_address_space(tables_size(config));
  if (error) return nullptr;
  std::vector<PacketPool> pools;
  error = make_pools(config, pools);
  if (error) return nullptr;
  std::unique_ptr<Host> host(new Host(config, std::move(claims.held), std::move(pools), nullptr));
  for (const PortConfig& port : claims.ports) {
    error = host->add_port(port);
    if (error) return nullptr;
  }
  error = host->wait_for_addresses();
  if (error) return nullptr;
  keep_packets_out_of_dumps();
  host->start_softirq();
  return host;
}

std::unique_ptr<Host> Host::simulate(const Config& config, const Surroundings& surroundings,
                                     DriverError& error) {
  std::vector<PacketPool> pools;
  error = make_pools(config, pools);
  if (error) return nullptr;
  std::unique_ptr<Host> host(new Host(config, {}, std::move(pools), &surroundings));
  for (const auto& [device, port] : surroundings.devices) {
    host->worlds_.front().stack->add_interface(device, port);
  }
  return host;
}

Host::Host(const Config& config, std::vector<DeviceClaim> claims, std::vector<PacketPool> pools,
           const Surroundings* surroundings)
    : config_(config),
      claims_(std::move(claims)),
      clock_(surroundings ? surroundings->clock : machine_clock_),
      fds_(config.descriptors, config.numbers),
      pools_(std::move(pools)),
      peers_(config.listeners),
      machine_context_(surroundings ? nullptr
                                    : std::make_unique<StackPollContext>(
                                          clock_, Duration::us(config.poll_ceiling_usecs))),
      context_(surroundings ? surroundings->context : *machine_context_) {
  EventPoll::configure({.threads = config.threads,
                        .max_sets = config.epoll_sets,
                        .max_kernel_files = config.kernel_files,
                        .max_user_watches = config.epoll_watches,
                        .busy_poll = config.busy_poll});
  configure_sockets(config.sockets);
  std::uint64_t seed = 0;
  tcp::Secret secret;
  tcp::HashKey port_key;
  fill_randomly(seed);
  fill_randomly(secret);
  fill_randomly(port_key);
  ports_ = std::make_unique<tcp::Ports>((config.connections + config.listeners) * config.queues,
                                        port_key, seed);
  Peers* const peers = config.queues > 1 ? &peers_ : nullptr;
  for (unsigned i = 0; i < config.queues; ++i) {
    auto stack = std::make_unique<Stack>(
        config_, Stack::Parts{pools_[i], *ports_, clock_, i, peers}, seed + i, secret);
    stack->set_poll_context(context_);
    peers_.add(*stack);
    auto napi = std::make_unique<Napi>(*stack, clock_, config_.irqs);
    if (machine_context_) machine_context_->add(*napi);
    worlds_.push_back({std::move(stack), std::move(napi), {}});
  }
}

Host::~Host() {
  softirq_.reset();
  if (peers_[0].entry().may_enter()) leave();
}

Stack& Host::stack_for_new_socket(bool is_stream) {
  if (!is_stream || worlds_.size() == 1) return peers_[Stack::kDatagramStack];
  static thread_local std::pair<const Host*, unsigned> home{nullptr, 0};
  if (home.first != this) home = {this, threads_.fetch_add(1, std::memory_order_relaxed)};
  return peers_[home.second % worlds_.size()];
}

void Host::abandon_claims() {
  for (DeviceClaim& claim : claims_) claim.abandon();
}

// As a process ends.
void Host::leave() {
  const auto end = static_cast<int>(fds_.table_size());
  for (int number = 0; number < end; ++number) static_cast<void>(fds_.close(number));
  const Instant deadline = clock_.now() + (machine_context_ ? kLastDeliveries : Duration());
  const auto is_delivering = [](const World& world) {
    world.napi->poll(kFirstPollBudget, Napi::Claim::waiter);
    const Inside inside(*world.stack);
    return world.stack->is_delivering();
  };
  // Counted, so that each is polled.
  while (clock_.now() < deadline && std::count_if(worlds_.begin(), worlds_.end(), is_delivering)) {
    ::usleep(kDeliveryPauseUsecs);
  }
  for (const World& world : worlds_) {
    const Inside inside(*world.stack);
    world.stack->reset_all(inside.now());
    // Who is ended by a signal writes nothing after this.
    for (PcapTap* capture : world.captures) capture->flush();
  }
}

// RFC 5227 2.1.1: nobody may use an address before it has been asked for, for up to 7 s.
DriverError Host::wait_for_addresses() {
  constexpr Duration kProbing = Duration::seconds(8);
  const World& first = worlds_.front();
  const Instant deadline = clock_.now() + kProbing;
  while (const std::optional<IpAddress> address = first.stack->first_not_owned()) {
    if (clock_.now() >= deadline) {
      return {EADDRINUSE, fmt::format("another host has the address {} (port.NAME.probe)",
                                      address->to_string())};
    }
    first.napi->poll(kFirstPollBudget, Napi::Claim::waiter);
    ::usleep(kDeliveryPauseUsecs);
  }
  return {};
}

DriverError Host::add_port(const PortConfig& config) {
  DriverError error;
  const PortOptions options{.name = config.name,
                            .device = config.device,
                            .rx_descriptors = config.descriptors,
                            .tx_descriptors = config.descriptors,
                            .mtu = config.mtu,
                            .vlan = config.vlan,
                            .checksum_offload = config.checksum_offload,
                            .tso = config.tso,
                            .lro = config.lro,
                            .rx_interrupts = config.rx_interrupts,
                            .queues = static_cast<std::uint16_t>(config_.queues)};
  Device device{.name = config.name, .port = nullptr, .wrappers = {}};
  std::vector<PacketPool*> pools;
  for (PacketPool& pool : pools_) pools.push_back(&pool);
  device.port = Port::open(options, pools, error);
  if (error) return error;
  const std::string kernel_end = device.port->kernel_interface();
  if (config.kernel_address && kernel_end.empty()) {
    return {EINVAL,
            fmt::format("port.{}.kernel_address: {} has no end in the kernel; take the key out",
                        config.name, device.port->driver())};
  }
  if (config.kernel_address) error = bring_up_kernel_interface(kernel_end, *config.kernel_address);
  devices_.push_back(std::move(device));
  for (unsigned i = 0; i < config_.queues && !error; ++i) {
    NetDevice* const queue = wrap(devices_.back(), i, config, error);
    if (!error) worlds_[i].stack->add_interface(*queue, config, devices_.back().port->rss());
  }
  return error;
}

// From the device outwards: impairments, then the capture, which sees what the stack sees.
NetDevice* Host::wrap(Device& device, unsigned queue, const PortConfig& config,
                      DriverError& error) {
  NetDevice* outermost = &device.port->queue(queue);
  if (!config.impair_rx.empty() || !config.impair_tx.empty()) {
    const auto rx = ImpairParams::parse(config.impair_rx);
    const auto tx = ImpairParams::parse(config.impair_tx);
    if (!rx) error = {EINVAL, fmt::format("port.{}.impair_rx: {}", config.name, rx.error())};
    if (!tx) error = {EINVAL, fmt::format("port.{}.impair_tx: {}", config.name, tx.error())};
    if (error) return nullptr;
    device.wrappers.push_back(std::make_unique<Impair>(
        *outermost, pools_[queue], clock_, Impair::Params{*rx, *tx, config.impair_seed + queue}));
    outermost = device.wrappers.back().get();
  }
  if (config.capture.empty()) return outermost;
  const std::string suffix = queue == 0 ? "" : fmt::format(".{}", queue);
  const PcapTapOptions options{.path = config.capture + suffix,
                               .clock_offset = TscClock::time_of_day_offset()};
  auto tap = PcapTap::open(*outermost, clock_, options, error);
  if (error) return nullptr;
  worlds_[queue].captures.push_back(tap.get());
  device.wrappers.push_back(std::move(tap));
  return device.wrappers.back().get();
}

void Host::start_softirq() {
  if (config_.threads == ThreadMode::single) return;
  std::vector<Napi*> napis;
  for (const World& world : worlds_) napis.push_back(world.napi.get());
  softirq_ = std::make_unique<Softirq>(*machine_context_, std::move(napis),
                                       Duration::us(config_.softirq_usecs));
}

std::vector<PortCount> Host::device_counts() const {
  std::vector<PortCount> all;
  for (const Device& device : devices_) {
    for (const auto& [name, value] : device.port->counts()) {
      all.push_back({fmt::format("nic_{}_{}", device.name, name), value});
    }
  }
  return all;
}

void Host::note_wait_returned(unsigned events) {
  if (events < 2) return;
  for (const World& world : worlds_) world.stack->note_wait_returned(events);
}

}  // namespace pollux
