// port.cc - from a line of the configuration to a started device, and back.
#include "drivers/dpdk/port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <optional>

#include "drivers/device_name.h"
#include "drivers/dpdk/eal_log.h"
#include "drivers/dpdk/guest.h"
#include "drivers/dpdk/memif_queue.h"
#include "drivers/dpdk/port_error.h"
#include "drivers/dpdk/queue.h"
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

class EthPort final : public Port {
 public:
  explicit EthPort(const PortOptions& options);
  ~EthPort() override;
  DriverError set_up(PacketPool& pool);
  NetDevice& queue() override { return *queue_; }
  std::string driver() const override { return driver_; }
  std::string kernel_interface() const override;

 private:
  DriverError create();
  DriverError configure(PacketPool& pool);
  int set_up_queues(PacketPool& pool);
  DriverError start();
  void set_mtu();
  void make_queue(PacketPool& pool, const DescriptorWatch& descriptors);
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
  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  bool is_created_ = false;
  std::unique_ptr<CallbackLoop> loop_;  // until the memif queue takes it
  std::unique_ptr<Queue> queue_;
};

EthPort::EthPort(const PortOptions& options) : options_(options) {
  const std::size_t comma = options.device.find(',');
  name_ = options.device.substr(0, comma);
  if (comma != std::string::npos) arguments_ = options.device.substr(comma + 1);
  if (name_.starts_with("net_tap")) arguments_ = with_tap_interface(arguments_);
  if (name_.starts_with("net_memif")) loop_ = std::make_unique<CallbackLoop>();
}

EthPort::~EthPort() {
  auto* memif = is_memif() ? static_cast<MemifQueue*>(queue_.get()) : nullptr;
  CallbackLoop* loop = memif ? &memif->loop() : loop_.get();
  std::optional<CallbackLoop::Scope> scope;
  if (loop) scope.emplace(*loop);
  if (id_ != RTE_MAX_ETHPORTS) rte_eth_dev_stop(id_);
  if (!is_created_) return;
  if (is_pci_address(name_)) {
    rte_eal_hotplug_remove("pci", name_.c_str());
  } else {
    rte_eal_hotplug_remove("vdev", name_.c_str());
  }
}

DriverError EthPort::fail(const char* step, int error) const {
  return explain_port_error({options_.name, options_.device, step, error});
}

DriverError EthPort::set_up(PacketPool& pool) {
  clear_eal_log();
  const DescriptorWatch descriptors;
  const SignalsBlocked signals;
  std::optional<RealTimeSignalsIgnored> no_signals;
  if (name_.starts_with("net_tap") || name_.starts_with("net_tun")) no_signals.emplace();
  std::optional<CallbackLoop::Scope> scope;
  if (loop_) scope.emplace(*loop_);
  if (DriverError error = create()) return error;
  if (DriverError error = configure(pool)) return error;
  if (DriverError error = start()) return error;
  descriptors.close_on_exec();
  make_queue(pool, descriptors);
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

std::uint64_t EthPort::wanted_rx(std::uint16_t data_room) const {
  std::uint64_t wanted = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
  if (options_.checksum_offload) wanted |= kRxChecksums;
  const unsigned frame = std::max<unsigned>(options_.mtu, RTE_ETHER_MTU) + kFrameOverhead;
  if (frame > data_room) wanted |= RTE_ETH_RX_OFFLOAD_SCATTER;
  return wanted & info_.rx_offload_capa;
}

// Never MBUF_FAST_FREE: packets refer to text that others hold.
std::uint64_t EthPort::wanted_tx() const {
  std::uint64_t wanted = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
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

DriverError EthPort::configure(PacketPool& pool) {
  conf_.rxmode.offloads = wanted_rx(pool.data_room());
  conf_.txmode.offloads = wanted_tx();
  // net_memif names a limit of 1,518 octets and takes frames of any size: not asked.
  const std::uint16_t largest = info_.max_mtu;
  if (options_.mtu != 0 && !is_memif()) conf_.rxmode.mtu = std::min(options_.mtu, largest);
  conf_.intr_conf.rxq = options_.rx_interrupts ? 1 : 0;
  int error = rte_eth_dev_configure(id_, 1, 1, &conf_);
  if (error != 0 && conf_.intr_conf.rxq != 0) {
    conf_.intr_conf.rxq = 0;
    error = rte_eth_dev_configure(id_, 1, 1, &conf_);
  }
  if (error != 0) return fail("configure", -error);
  if (driver_ == "net_af_xdp" && pool.available() <= kXdpPackets) {
    return {ENOBUFS, "port " + options_.name +
                         ": net_af_xdp keeps 2,048 packets for itself;"
                         " set stack.packets to 4,096 or more"};
  }
  error = set_up_queues(pool);
  return error == 0 ? DriverError() : fail("set up the queues of", -error);
}

int EthPort::set_up_queues(PacketPool& pool) {
  std::uint16_t rx = options_.rx_descriptors;
  std::uint16_t tx = options_.tx_descriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx)) return error;
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  rte_eth_rxconf rx_conf = info_.default_rxconf;
  rx_conf.offloads = conf_.rxmode.offloads;
  rte_eth_txconf tx_conf = info_.default_txconf;
  tx_conf.offloads = conf_.txmode.offloads;
  if (const int error = rte_eth_rx_queue_setup(id_, 0, rx, socket, &rx_conf, pool.mempool())) {
    return error;
  }
  return rte_eth_tx_queue_setup(id_, 0, tx, socket, &tx_conf);
}

void EthPort::set_mtu() {
  if (options_.mtu != 0 && !is_memif()) rte_eth_dev_set_mtu(id_, options_.mtu);
}

DriverError EthPort::start() {
  set_mtu();
  const int error = rte_eth_dev_start(id_);
  // A memif client whose server is not there yet: the queue goes on trying.
  if (error != 0 && !is_memif()) return fail("start", -error);
  rte_eth_allmulticast_enable(id_);
  return {};
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
  caps.tx_vlan_insert = (tx & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0;
  // net_e1000_igb says "good" of everything when the card has been told not to look.
  caps.rx_checksum = options_.checksum_offload;
  return caps;
}

void EthPort::make_queue(PacketPool& pool, const DescriptorWatch& descriptors) {
  if (is_memif()) {
    const bool is_client = arguments_.find("role=server") == std::string::npos;
    queue_ = std::make_unique<MemifQueue>(id_, caps(), pool, std::move(loop_), is_client);
    return;
  }
  RxInterrupt interrupt = options_.rx_interrupts
                              ? RxInterrupt::find(id_, driver_, descriptors.opened())
                              : RxInterrupt();
  queue_ = std::make_unique<Queue>(id_, caps(), pool, std::move(interrupt));
}

std::string EthPort::kernel_interface() const {
  char name[IF_NAMESIZE] = "";
  if (driver_ != "net_tap" || !if_indextoname(info_.if_index, name)) return {};
  return name;
}

}  // namespace

std::unique_ptr<Port> Port::open(const PortOptions& options, PacketPool& pool, DriverError& error) {
  auto port = std::make_unique<EthPort>(options);
  error = port->set_up(pool);
  if (error) return nullptr;
  return port;
}

}  // namespace pollux
