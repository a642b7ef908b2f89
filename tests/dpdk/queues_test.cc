// queues_test.cc - ports of several queues: whose packets, whose descriptor, whose memory; partly
// root.
#define ALLOW_EXPERIMENTAL_API  // rte_dev_event_callback_process
#include <gtest/gtest.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <sys/socket.h>

#include <set>

#include "tests/dpdk/kernel_support.h"
#include "tests/support/ipv4_name.h"

namespace pollux {
namespace {

using testing_support::eventually;
using testing_support::is_readable;
using testing_support::octets_of;
using testing_support::packet_of;
using testing_support::run;
using testing_support::test_frame;
using testing_support::test_pool;

std::unique_ptr<Port> open_queues(const std::string& device, std::uint16_t queues,
                                  DriverError& error) {
  const std::vector<PacketPool*> pools(queues, &test_pool());
  // net_tap holds as many packets for each queue as it has descriptors.
  const PortOptions options{
      .name = "lan", .device = device, .rx_descriptors = 128, .queues = queues};
  return Port::open(options, pools, error);
}

std::unique_ptr<Port> open_queues(const std::string& device, std::uint16_t queues) {
  DriverError error;
  auto port = open_queues(device, queues, error);
  EXPECT_TRUE(port) << error.message;
  return port;
}

// Of how many queues the sleeps end by interrupts.
std::uint64_t interrupts_of(const Port& port) {
  for (const auto& [name, value] : port.counts()) {
    if (name == "rx_interrupts") return value;
  }
  ADD_FAILURE() << "not counted";
  return 0;
}

class Queues : public testing_support::PoolEndsFull {};

TEST_F(Queues, each_ring_returns_what_its_queue_sent) {
  const auto port = open_queues("net_ring0", 3);
  ASSERT_TRUE(port);
  ASSERT_EQ(port->queues(), 3u);
  for (unsigned i = 0; i < 3; ++i) {
    Packet packet = packet_of(test_pool(), test_frame(60, i));
    ASSERT_EQ(port->queue(i).tx_burst(std::span(&packet, 1)), 1u);
  }
  for (unsigned i = 0; i < 3; ++i) {
    std::array<Packet, 4> out;
    ASSERT_EQ(port->queue(i).rx_burst(out), 1u);
    EXPECT_EQ(octets_of(out[0]), test_frame(60, i));
  }
}

TEST_F(Queues, each_receives_into_its_own_pool) {
  Result<PacketPool> other = PacketPool::create("other", 2047, 2048);
  ASSERT_TRUE(other.ok());
  PacketPool* const pools[] = {&test_pool(), &*other};
  DriverError error;
  const auto port = Port::open({.name = "lan", .device = "net_null0", .queues = 2}, pools, error);
  ASSERT_TRUE(port) << error.message;
  for (unsigned i = 0; i < 2; ++i) {
    std::array<Packet, 1> out;
    ASSERT_EQ(port->queue(i).rx_burst(out), 1u);
    EXPECT_EQ(out[0].mbuf()->pool, pools[i]->mempool());
  }
}

// net_null keeps a key (that of the published test vectors) and a table, and tells both.
TEST_F(Queues, what_the_driver_says_of_its_hash_is_read_back) {
  const auto port = open_queues("net_null0", 3);
  ASSERT_TRUE(port);
  const RssMap& rss = port->rss();
  ASSERT_TRUE(rss.is_known());
  const RssTuple tuple{{66, 9, 149, 187}, {161, 142, 100, 80}, 2794, 1766, true};
  EXPECT_EQ(rss.hash_of(tuple), 0x51ccc178u);
  ASSERT_EQ(rss.table().size(), 128u);
  for (unsigned i = 0; i < 128; ++i) EXPECT_EQ(rss.table()[i], i % 3);
}

TEST_F(Queues, of_a_driver_without_a_table_nothing_is_known) {
  EXPECT_FALSE(open_queues("net_ring0", 2)->rss().is_known());
  const auto port = open_queues("net_ring0", 1);
  ASSERT_TRUE(port->rss().is_known());
  EXPECT_EQ(port->rss().queue_of({{198, 18, 0, 1}, {198, 18, 0, 2}, 1, 2, true}), 0u);
}

TEST_F(Queues, a_device_that_is_taken_away_is_removed_once_all_have_let_go) {
  const auto port = open_queues("net_ring0", 3);
  ASSERT_TRUE(port);
  EXPECT_EQ(interrupts_of(*port), 0u);
  rte_dev_event_callback_process("net_ring0", RTE_DEV_EVENT_REMOVE);
  std::uint16_t id = 0;
  for (unsigned i = 0; i < 3; ++i) {
    for (unsigned j = 0; j < 3; ++j) {
      EXPECT_TRUE(port->queue(j).is_gone());
      EXPECT_EQ(is_readable(port->queue(j).removal_fd(), 0), j >= i);
      EXPECT_EQ(port->queue(j).next_event().is_never(), j < i);
    }
    EXPECT_EQ(rte_eth_dev_get_port_by_name("net_ring0", &id), 0);
    port->queue(i).let_go();
    port->queue(i).let_go();  // counts once
  }
  EXPECT_NE(rte_eth_dev_get_port_by_name("net_ring0", &id), 0);
  EXPECT_TRUE(port->counts().empty());
  EXPECT_TRUE(open_queues("net_ring0", 2));
}

TEST_F(Queues, too_many_are_refused_with_what_to_write) {
  const std::string memif = "net_memif0,socket-abstract=yes,socket=pollux-queues-test";
  DriverError error;
  EXPECT_FALSE(open_queues("net_ring0", 17, error));
  EXPECT_EQ(error.error, EINVAL);
  EXPECT_EQ(error.message, "port lan: net_ring0 has 16 queues; set stack.queues to 16");
  EXPECT_FALSE(open_queues(memif, 2, error));
  EXPECT_EQ(error.error, EINVAL);
  EXPECT_EQ(error.message, "port lan: net_memif0 has 1 queue; set stack.queues to 1");
}

TEST_F(Queues, a_key_for_a_device_that_takes_none_is_refused) {
  PacketPool* const pools[] = {&test_pool(), &test_pool()};
  DriverError error;
  EXPECT_FALSE(Port::open({.name = "lan", .device = "net_null0", .queues = 2, .rss_key = "00"},
                          pools, error));
  EXPECT_EQ(error.error, EINVAL);
  EXPECT_EQ(error.message, "port lan: net_null0 takes no RSS key; give it none");
}

constexpr std::uint16_t kKernelPort = 7000;

// A UDP socket of the kernel's; who lives behind the device is 198.18.5.2.
class KernelSocket {
 public:
  KernelSocket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const sockaddr_in own = testing_support::ipv4_name("198.18.5.1", kKernelPort);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  }
  KernelSocket(const KernelSocket&) = delete;
  KernelSocket& operator=(const KernelSocket&) = delete;
  ~KernelSocket() { close(fd_); }
  void send_to(std::uint16_t port) const {
    const sockaddr_in to = testing_support::ipv4_name("198.18.5.2", port);
    EXPECT_EQ(sendto(fd_, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
  }
  // From which port a datagram came; 0: none is there.
  std::uint16_t receive() const {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    char octet = 0;
    const ssize_t n = recvfrom(fd_, &octet, 1, 0, reinterpret_cast<sockaddr*>(&from), &size);
    return n < 0 ? std::uint16_t{0} : ntohs(from.sin_port);
  }

 private:
  int fd_;
};

struct UdpFrame {
  rte_ether_hdr link;
  rte_ipv4_hdr ip;
  rte_udp_hdr udp;
};
static_assert(sizeof(UdpFrame) == 42);

// A datagram from 198.18.5.2 to the kernel's socket.
Packet datagram_from(std::uint16_t port) {
  UdpFrame frame{};
  frame.link = {{{2, 0, 0, 0, 0, 0x50}}, {{2, 0, 0, 0, 0, 0x51}}, RTE_BE16(RTE_ETHER_TYPE_IPV4)};
  frame.ip.version_ihl = RTE_IPV4_VHL_DEF;
  frame.ip.total_length = RTE_BE16(sizeof(rte_ipv4_hdr) + sizeof(rte_udp_hdr));
  frame.ip.time_to_live = 64;
  frame.ip.next_proto_id = IPPROTO_UDP;
  frame.ip.src_addr = RTE_BE32(RTE_IPV4(198, 18, 5, 2));
  frame.ip.dst_addr = RTE_BE32(RTE_IPV4(198, 18, 5, 1));
  frame.ip.hdr_checksum = rte_ipv4_cksum(&frame.ip);
  frame.udp.src_port = htons(port);
  frame.udp.dst_port = htons(kKernelPort);
  frame.udp.dgram_len = RTE_BE16(sizeof(rte_udp_hdr));
  return packet_of(test_pool(), std::as_bytes(std::span(&frame, 1)));
}

// Which queue has a datagram to that port, of those whose descriptor says that something is there.
int queue_with(Port& port, std::uint16_t udp_port) {
  int found = -1;
  eventually([&] {
    for (unsigned i = 0; i < port.queues() && found < 0; ++i) {
      NetDevice& queue = port.queue(i);
      std::array<Packet, 32> out;
      if (!is_readable(queue.rx_interrupt_fd(), 0)) continue;
      for (std::size_t n = queue.rx_burst(out); n > 0; --n) {
        const auto* frame = out[n - 1].peek<UdpFrame>();
        if (frame && frame->udp.dst_port == htons(udp_port)) found = static_cast<int>(i);
      }
    }
    return found >= 0;
  });
  return found;
}

// Each flow is on one queue, and each queue has flows: of 64, that one of four has none happens
// once in 25 million.
void expect_spread_over_all(Port& port, const KernelSocket& kernel) {
  std::set<int> descriptors, used;
  for (unsigned i = 0; i < port.queues(); ++i) descriptors.insert(port.queue(i).rx_interrupt_fd());
  ASSERT_EQ(descriptors.size(), port.queues());
  ASSERT_GE(*descriptors.begin(), 0);
  for (unsigned i = 0; i < port.queues(); ++i) port.queue(i).arm_rx_interrupt();
  for (std::uint16_t udp_port = 2000; udp_port < 2064; ++udp_port) {
    kernel.send_to(udp_port);
    const int queue = queue_with(port, udp_port);
    ASSERT_GE(queue, 0) << udp_port;
    kernel.send_to(udp_port);
    ASSERT_EQ(queue_with(port, udp_port), queue);
    used.insert(queue);
  }
  EXPECT_EQ(used.size(), port.queues());
}

class KernelQueues : public testing_support::InOwnNamespace {
 protected:
  // The kernel's end gets an address, and knows that of the other end.
  static bool bring_up(const std::string& interface) {
    const std::string set = "ip link set " + interface + " address 02:00:00:00:00:50 up";
    const std::string add = "ip addr add 198.18.5.1/24 dev " + interface;
    const std::string neighbour =
        "ip neigh add 198.18.5.2 lladdr 02:00:00:00:00:51 dev " + interface;
    return run(set.c_str()) && run(add.c_str()) && run(neighbour.c_str());
  }
};

TEST_F(KernelQueues, tap_spreads_and_wakes_the_queue_that_has_the_packet) {
  const auto port = open_queues("net_tap0,iface=plxtest0", 4);
  ASSERT_TRUE(port);
  EXPECT_FALSE(port->rss().is_known());
  ASSERT_TRUE(bring_up("plxtest0"));
  expect_spread_over_all(*port, KernelSocket());
}

// net_tap's receive ring takes its packets when it is made.
TEST_F(KernelQueues, rings_leave_most_of_a_small_pool) {
  Result<PacketPool> pool = PacketPool::create("small", 1023, 2048);
  ASSERT_TRUE(pool.ok());
  DriverError error;
  const auto port = Port::open({.name = "lan", .device = "net_tap0"}, *pool, error);
  ASSERT_TRUE(port) << error.message;
  EXPECT_LT(pool->available(), pool->capacity());
  EXPECT_GE(pool->available(), pool->capacity() - pool->capacity() / 4);
}

// The kernel remembers on which queue a flow was sent.
TEST_F(KernelQueues, on_a_tap_the_answer_comes_to_the_queue_that_asked) {
  const auto port = open_queues("net_tap0,iface=plxtest0", 4);
  ASSERT_TRUE(port);
  ASSERT_TRUE(bring_up("plxtest0"));
  EXPECT_EQ(interrupts_of(*port), 4u);
  const KernelSocket kernel;
  for (std::uint16_t udp_port = 3000; udp_port < 3016; ++udp_port) {
    const unsigned queue = udp_port % 4;
    Packet packet = datagram_from(udp_port);
    ASSERT_EQ(port->queue(queue).tx_burst(std::span(&packet, 1)), 1u);
    ASSERT_TRUE(eventually([&] { return kernel.receive() == udp_port; }));
    kernel.send_to(udp_port);
    ASSERT_EQ(queue_with(*port, udp_port), static_cast<int>(queue));
  }
}

TEST_F(KernelQueues, one_that_finds_its_tap_deleted_tells_the_others) {
  const auto port = open_queues("net_tap0,iface=plxtest0", 2);
  ASSERT_TRUE(port);
  ASSERT_TRUE(run("ip link del plxtest0"));
  NetDevice& sleeper = port->queue(1);
  EXPECT_TRUE(eventually([&] {
    sleeper.arm_rx_interrupt();
    sleeper.disarm_rx_interrupt();
    return sleeper.is_gone();
  }));
  EXPECT_TRUE(port->queue(0).is_gone());
  EXPECT_TRUE(is_readable(port->queue(0).removal_fd(), 0));
}

TEST_F(KernelQueues, af_packet_spreads_and_wakes_the_queue_that_has_the_packet) {
  ASSERT_TRUE(run("ip link add plxa type veth peer name plxb && ip link set plxa up"));
  ASSERT_TRUE(bring_up("plxb"));
  {
    const auto port = open_queues("net_af_packet0,iface=plxa,qpairs=4", 4);
    ASSERT_TRUE(port);
    EXPECT_EQ(interrupts_of(*port), 4u);
    expect_spread_over_all(*port, KernelSocket());
  }
  DriverError error;
  EXPECT_FALSE(open_queues("net_af_packet0,iface=plxa,qpairs=2", 4, error));
  EXPECT_NE(error.message.find("has 2 queues; set stack.queues to 2, or give the device"
                               " qpairs=4"),
            std::string::npos)
      << error.message;
  EXPECT_FALSE(open_queues("net_af_packet0,iface=plxa,qpairs=4", 1, error));
  EXPECT_EQ(error.error, EINVAL);
  EXPECT_TRUE(run("ip link del plxa"));
}

}  // namespace
}  // namespace pollux
