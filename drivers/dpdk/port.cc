// port.cc - from a line of the configuration to a started device, and back.
#include "drivers/dpdk/port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/device_name.h"
#include "drivers/dpdk/eal_log.h"
#include "drivers/dpdk/guest.h"
#include "drivers/dpdk/memif_queue.h"
#include "drivers/dpdk/port_error.h"
#include "drivers/dpdk/queue.h"
#include "drivers/dpdk/queue_count.h"
#include "drivers/dpdk/rss.h"
#include "drivers/dpdk/tap.h"
#include "drivers/dpdk/vfio_interrupt.h"

namespace pollux {
namespace {

constexpr std::uint64_t kRxChecksums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t kTxChecksums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
constexpr std::uint32_t kXdpPackets = 2048;  // its fill queue; it says so at log level debug only
constexpr std::uint16_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN;

using Pools = std::span<PacketPool* const>;  // one for each queue

// What a driver may refuse although its capabilities say yes. Given up one by one, the likeliest
// first (virtio under uio has no receive interrupts: -95).
struct Wishes {
  bool rx_interrupts;
  bool lro;
  bool removal_events;
};

class EthPort final : public Port, public DeviceWatch::Owner {
 public:
  explicit EthPort(const PortOptions& options);
  ~EthPort() override;
  DriverError set_up(Pools pools);
  NetDevice& queue(unsigned index) override { return *queues_[index]; }
  unsigned queues() const override { return static_cast<unsigned>(queues_.size()); }
  const RssMap& rss() const override { return rss_.map(); }
  std::string driver() const override { return driver_; }
  std::string kernel_interface() const override;
  std::vector<PortCount> counts() const override;
  // At the end, or before it once the device has been taken away and all queues have let go.
  void remove() override;

 private:
  DriverError create();
  DriverError request_rss();
  DriverError bring_up(Pools pools);
  bool give_up_a_wish();
  DriverError configure(Pools pools);
  int set_up_queues(Pools pools);
  DriverError start();
  std::uint32_t largest_mtu() const;
  void set_mtu();
  void accept_vlan();
  void await_link();
  void make_queues(Pools pools, const DescriptorWatch& descriptors);
  DeviceCaps caps() const;
  std::uint64_t wanted_rx(std::uint16_t data_room) const;
  std::uint64_t wanted_tx() const;
  bool is_memif() const { return driver_ == "net_memif"; }
  DriverError fail(const char* step, int error) const;

  PortOptions options_;
  std::string name_;       // of the device: what stands before the first comma
  std::string arguments_;  // what stands behind it
  std::string driver_;
  rte_eth_dev_info info_{};
  rte_eth_conf conf_{};
  Wishes wishes_{};
  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  bool is_created_ = false;
  std::unique_ptr<CallbackLoop> loop_;  // until the memif queue takes it
  std::unique_ptr<DeviceWatch> watch_;
  std::vector<std::unique_ptr<Queue>> queues_;
  Rss rss_;
};

// A ring keeps its packets; those that are sent, too, until their places are needed. Rings as large
// as their pool would leave nobody a packet, not even the next one to send.
std::uint16_t ring_size(std::uint16_t wanted, Pools pools) {
  constexpr std::uint32_t kFewest = 64, kPartOfPool = 4;
  std::uint32_t most = UINT16_MAX;
  for (const PacketPool* pool : pools) {
    const auto users = static_cast<std::uint32_t>(std::count(pools.begin(), pools.end(), pool));
    most = std::min(most, pool->capacity() / users / kPartOfPool);
  }
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(wanted, std::max(most, kFewest)));
}

// A whole frame in one buffer of the ring: net_memif 22.11 leaves an old frame's mark of a chain in
// the first descriptor of a new one, and every lap of the ring glues frames together.
std::string with_memif_buffers(const std::string& arguments, const PortOptions& options) {
  constexpr unsigned kDefault = 2048;
  const unsigned frame = options.mtu + kFrameOverhead;
  if (frame <= kDefault || !device_argument(options.device, "bsize").empty()) return arguments;
  return (arguments.empty() ? "" : arguments + ',') + "bsize=" + std::to_string(frame);
}

EthPort::EthPort(const PortOptions& options) : options_(options) {
  const std::size_t comma = options.device.find(',');
  name_ = options.device.substr(0, comma);
  if (comma != std::string::npos) arguments_ = options.device.substr(comma + 1);
  if (name_.starts_with("net_tap")) arguments_ = with_tap_interface(arguments_);
  if (!name_.starts_with("net_memif")) return;
  arguments_ = with_memif_buffers(arguments_, options);
  loop_ = std::make_unique<CallbackLoop>();
}

EthPort::~EthPort() {
  watch_.reset();
  remove();
}

void EthPort::remove() {
  auto* memif =
      is_memif() && !queues_.empty() ? static_cast<MemifQueue*>(queues_[0].get()) : nullptr;
  CallbackLoop* loop = memif ? &memif->loop() : loop_.get();
  std::optional<CallbackLoop::Scope> scope;
  if (loop) scope.emplace(*loop);
  const std::uint16_t id = std::exchange(id_, std::uint16_t{RTE_MAX_ETHPORTS});
  if (id != RTE_MAX_ETHPORTS) rte_eth_dev_stop(id);
  if (!std::exchange(is_created_, false)) return;
  if (is_pci_address(name_)) {
    rte_eal_hotplug_remove("pci", name_.c_str());
  } else {
    rte_eal_hotplug_remove("vdev", name_.c_str());
  }
}

DriverError EthPort::fail(const char* step, int error) const {
  return explain_port_error({options_.name, options_.device, step, error});
}

DriverError EthPort::set_up(Pools pools) {
  clear_eal_log();
  const DescriptorWatch descriptors;
  const SignalsBlocked signals;
  std::optional<RealTimeSignalsIgnored> no_signals;
  if (name_.starts_with("net_tap") || name_.starts_with("net_tun")) no_signals.emplace();
  std::optional<CallbackLoop::Scope> scope;
  if (loop_) scope.emplace(*loop_);
  if (DriverError error = create()) return error;
  if (DriverError error = request_rss()) return error;
  if (DriverError error = bring_up(pools)) return error;
  descriptors.close_on_exec();
  make_queues(pools, descriptors);
  watch_ = std::make_unique<DeviceWatch>(id_, rte_dev_name(info_.device), *this);
  for (auto& queue : queues_) queue->watch(*watch_);
  return {};
}

DriverError EthPort::create() {
  int error = 0;
  std::uint16_t existing = 0;
  if (rte_eth_dev_get_port_by_name(name_.c_str(), &existing) == 0) return fail("create", EEXIST);
  if (name_.starts_with("net_tap") && !await_tap(tap_interface(arguments_))) {
    return fail("create", EBUSY);
  }
  if (is_pci_address(name_)) {
    const VfioInterrupt kind(name_);
    error = rte_dev_probe(options_.device.c_str());
  } else {
    error = rte_eal_hotplug_add("vdev", name_.c_str(), arguments_.c_str());
  }
  if (error != 0) return fail("create", -error);
  is_created_ = true;
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name_.c_str(), &id) != 0) return fail("create", ENODEV);
  id_ = id;
  error = rte_eth_dev_info_get(id_, &info_);
  if (error != 0) return fail("query", -error);
  driver_ = info_.driver_name;
  return {};
}

DriverError EthPort::bring_up(Pools pools) {
  // A frame merged of several is a chain, and its checksum is the device's word. net_vmxnet3 22.11
  // on QEMU's card receives nothing any more after the first of them.
  constexpr std::uint64_t kMerging =
      RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
  wishes_ = {.rx_interrupts = options_.rx_interrupts,
             .lro = options_.lro && options_.checksum_offload && driver_ != "net_vmxnet3" &&
                    (info_.rx_offload_capa & kMerging) == kMerging,
             .removal_events = (*info_.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0};
  for (;;) {
    DriverError error = configure(pools);
    if (!error) error = start();
    if (!error || !give_up_a_wish()) return error;
  }
}

bool EthPort::give_up_a_wish() {
  for (bool* wish : {&wishes_.rx_interrupts, &wishes_.lro, &wishes_.removal_events}) {
    if (std::exchange(*wish, false)) return true;
  }
  return false;
}

std::uint64_t EthPort::wanted_rx(std::uint16_t data_room) const {
  std::uint64_t wanted = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
  // Some filter whether asked or not (virtio): without a word they would pass no tagged frame.
  if (options_.vlan != 0) wanted |= RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
  if (options_.checksum_offload) wanted |= kRxChecksums;
  const unsigned frame = std::max<unsigned>(options_.mtu, RTE_ETHER_MTU) + kFrameOverhead;
  if (frame > data_room) wanted |= RTE_ETH_RX_OFFLOAD_SCATTER;
  if (wishes_.lro) wanted |= RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
  return wanted & info_.rx_offload_capa;
}

// Never MBUF_FAST_FREE: packets refer to text that others hold.
std::uint64_t EthPort::wanted_tx() const {
  std::uint64_t wanted = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  if (options_.vlan != 0) wanted |= RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
  if (options_.checksum_offload) wanted |= kTxChecksums;
  if (options_.tso) wanted |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
  wanted &= info_.tx_offload_capa;
  // net_tap's are software: its sums of odd-length chains were wrong on the wire, and it refuses
  // for ever what its segmentation cannot cut. Ours cost less.
  if (driver_ == "net_tap") wanted &= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  // Cutting a segment in pieces takes their checksums as well.
  if ((wanted & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) == 0) {
    wanted &= ~std::uint64_t{RTE_ETH_TX_OFFLOAD_TCP_TSO};
  }
  return wanted;
}

DriverError EthPort::request_rss() {
  const std::uint16_t present = std::min(info_.max_rx_queues, info_.max_tx_queues);
  DriverError error =
      check_queue_count({options_.name, options_.device, driver_, options_.queues, present});
  if (error || options_.queues == 1) return error;
  error = rss_.request(options_.rss_key, info_, conf_);
  if (error) error.message = "port " + options_.name + ": " + name_ + ' ' + error.message;
  return error;
}

DriverError EthPort::configure(Pools pools) {
  std::uint16_t data_room = UINT16_MAX;
  for (const PacketPool* pool : pools) data_room = std::min(data_room, pool->data_room());
  conf_.rxmode.offloads = wanted_rx(data_room);
  conf_.txmode.offloads = wanted_tx();
  // net_memif names a limit of 1,518 octets and takes frames of any size: not asked.
  if (options_.mtu != 0 && !is_memif()) {
    if (options_.mtu > largest_mtu()) {
      return {EINVAL, "port " + options_.name + ": its mtu is above the device's largest, " +
                          std::to_string(largest_mtu())};
    }
    conf_.rxmode.mtu = options_.mtu;
  }
  conf_.rxmode.max_lro_pkt_size = wishes_.lro ? info_.max_lro_pkt_size : 0;
  conf_.intr_conf.rxq = wishes_.rx_interrupts ? 1 : 0;
  conf_.intr_conf.rmv = wishes_.removal_events ? 1 : 0;
  int error = rte_eth_dev_configure(id_, options_.queues, options_.queues, &conf_);
  if (error != 0) return fail("configure", -error);
  for (PacketPool* pool : pools) {
    if (driver_ != "net_af_xdp") break;
    if (pool->available() > kXdpPackets * std::count(pools.begin(), pools.end(), pool)) continue;
    return {ENOBUFS, "port " + options_.name +
                         ": net_af_xdp keeps 2,048 packets for each queue;"
                         " set stack.packets to 4,096 or more"};
  }
  error = set_up_queues(pools);
  return error == 0 ? DriverError() : fail("set up the queues of", -error);
}

int EthPort::set_up_queues(Pools pools) {
  std::uint16_t rx = ring_size(options_.rx_descriptors, pools);
  std::uint16_t tx = ring_size(options_.tx_descriptors, pools);
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx)) return error;
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  rte_eth_rxconf rx_conf = info_.default_rxconf;
  rx_conf.offloads = conf_.rxmode.offloads;
  rte_eth_txconf tx_conf = info_.default_txconf;
  tx_conf.offloads = conf_.txmode.offloads;
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    int error = rte_eth_rx_queue_setup(id_, i, rx, socket, &rx_conf, pools[i]->mempool());
    if (error == 0) error = rte_eth_tx_queue_setup(id_, i, tx, socket, &tx_conf);
    if (error != 0) return error;
  }
  return 0;
}

// Some drivers name the longest frame only; ethdev then counts header and CRC.
std::uint32_t EthPort::largest_mtu() const {
  if (info_.max_mtu != UINT16_MAX) return info_.max_mtu;
  return info_.max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
}

void EthPort::set_mtu() {
  if (options_.mtu != 0 && !is_memif()) rte_eth_dev_set_mtu(id_, options_.mtu);
}

DriverError EthPort::start() {
  set_mtu();
  const int error = rte_eth_dev_start(id_);
  // A memif client whose server is not there yet: the queue goes on trying.
  if (error != 0 && !is_memif()) return fail("start", -error);
  if (rte_eth_allmulticast_enable(id_) == -ENOTSUP) rte_eth_promiscuous_enable(id_);
  rss_.establish(id_, options_.queues);
  accept_vlan();
  await_link();
  return {};
}

// VLAN 0 only carries a priority, and counts as untagged.
void EthPort::accept_vlan() {
  if ((conf_.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) == 0) return;
  rte_eth_dev_vlan_filter(id_, 0, 1);
  rte_eth_dev_vlan_filter(id_, options_.vlan, 1);
}

// Two cards need a second or two to agree on a speed. What is sent meanwhile would be lost, and a
// program that connects at once would hear that its neighbour does not answer.
void EthPort::await_link() {
  if (!is_pci_address(name_)) return;
  constexpr useconds_t kPauseUsecs = 20'000;
  rte_eth_link link{};
  for (int i = 0; i < 200; ++i) {
    if (rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP) return;
    usleep(kPauseUsecs);
  }
}

DeviceCaps EthPort::caps() const {
  DeviceCaps caps;
  std::uint16_t mtu = 0;
  if (rte_eth_dev_get_mtu(id_, &mtu) == 0 && mtu != 0) caps.mtu = mtu;
  if (is_memif() && options_.mtu != 0) caps.mtu = options_.mtu;
  rte_ether_addr address{};
  rte_eth_macaddr_get(id_, &address);
  std::copy_n(address.addr_bytes, caps.mac.size(), caps.mac.begin());
  // The kernel's interface at the other end of a TAP has the address of ours: two ends, two
  // addresses.
  if (driver_ == "net_tap") {
    caps.mac[0] |= 2;
    caps.mac[5] ^= 1;
  }
  const std::uint64_t tx = conf_.txmode.offloads;
  caps.tx_ipv4_checksum = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  caps.tx_tcp_checksum = (tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  caps.tx_udp_checksum = (tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
  caps.tx_tso = (tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0;
  caps.tx_multi_segments = (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  // 0: the driver did not think of it.
  const rte_eth_desc_lim& limits = info_.tx_desc_lim;
  if (limits.nb_mtu_seg_max != 0) caps.tx_segments = limits.nb_mtu_seg_max;
  if (limits.nb_seg_max != 0) caps.tx_tso_segments = limits.nb_seg_max;
  caps.tx_vlan_insert = (tx & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0;
  // net_e1000_igb says "good" of everything when the card has been told not to look.
  caps.rx_checksum = options_.checksum_offload;
  return caps;
}

void EthPort::make_queues(Pools pools, const DescriptorWatch& descriptors) {
  if (is_memif()) {
    const bool is_client = arguments_.find("role=server") == std::string::npos;
    queues_.push_back(
        std::make_unique<MemifQueue>(id_, caps(), *pools[0], std::move(loop_), is_client));
    return;
  }
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    const QueueId id{id_, i};
    RxInterrupt interrupt = options_.rx_interrupts
                                ? RxInterrupt::find(id, driver_, descriptors.opened())
                                : RxInterrupt();
    queues_.push_back(std::make_unique<Queue>(id, caps(), *pools[i], std::move(interrupt)));
  }
}

std::vector<PortCount> EthPort::counts() const {
  std::vector<PortCount> counts = watch_->counts();
  if (counts.empty()) return counts;
  const auto has_interrupt = [](const auto& queue) { return queue->rx_interrupt_fd() >= 0; };
  const auto with = std::count_if(queues_.begin(), queues_.end(), has_interrupt);
  counts.push_back({"rx_interrupts", static_cast<std::uint64_t>(with)});
  return counts;
}

std::string EthPort::kernel_interface() const {
  char name[IF_NAMESIZE] = "";
  if (driver_ != "net_tap" || !if_indextoname(info_.if_index, name)) return {};
  return name;
}

}  // namespace

std::unique_ptr<Port> Port::open(const PortOptions& options, PacketPool& pool, DriverError& error) {
  PacketPool* const pools[] = {&pool};
  return open(options, pools, error);
}

std::unique_ptr<Port> Port::open(const PortOptions& options, Pools pools, DriverError& error) {
  CHECK(options.queues > 0 && pools.size() == options.queues);
  auto port = std::make_unique<EthPort>(options);
  error = port->set_up(pools);
  if (error) return nullptr;
  return port;
}

}  // namespace pollux
