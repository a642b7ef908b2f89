// virtual_devices_test.cc - ports on net_ring, net_null and net_pcap: no privileges needed.
#define ALLOW_EXPERIMENTAL_API  // rte_dev_event_callback_process
#include <gtest/gtest.h>
#include <poll.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include <map>

#include "drivers/dpdk/queue.h"
#include "drivers/pcap_replay.h"
#include "tests/dpdk/device_support.h"
#include "tests/support/manual_clock.h"

namespace pollux {
namespace {

using testing_support::kTestType;
using testing_support::Octets;
using testing_support::octets_of;
using testing_support::open_port;
using testing_support::packet_of;
using testing_support::split_packet;
using testing_support::test_frame;
using testing_support::test_pool;

class VirtualDevices : public testing_support::PoolEndsFull {};

std::string error_of(const std::string& device, int expected_errno) {
  DriverError error;
  EXPECT_FALSE(Port::open({.name = "lan", .device = device}, test_pool(), error));
  EXPECT_EQ(error.error, expected_errno) << error.message;
  return error.message;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_F(VirtualDevices, ring_returns_what_was_sent) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  EXPECT_EQ(port->driver(), "net_ring");
  EXPECT_EQ(port->kernel_interface(), "");
  EXPECT_TRUE(device.is_link_up());
  EXPECT_EQ(device.rx_interrupt_fd(), -1);
  EXPECT_EQ(device.caps().mtu, 1500);
  std::array<Packet, 16> packets;
  for (std::uint32_t i = 0; i < 16; ++i) packets[i] = packet_of(test_pool(), test_frame(60, i));
  ASSERT_EQ(device.tx_burst(packets), 16u);
  for (const Packet& packet : packets) EXPECT_FALSE(packet);
  std::array<Packet, 32> out;
  ASSERT_EQ(device.rx_burst(out), 16u);
  for (std::uint32_t i = 0; i < 16; ++i) {
    EXPECT_EQ(octets_of(out[i]), test_frame(60, i));
    EXPECT_EQ(out[i].meta().l4_checksum, Checksum::unknown);
    EXPECT_FALSE(out[i].meta().has_vlan);
  }
}

TEST_F(VirtualDevices, what_the_ring_refuses_stays_the_callers) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  std::vector<Packet> packets;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    packets.push_back(packet_of(test_pool(), test_frame(60, i)));
  }
  const std::size_t taken = port->queue().tx_burst(packets);
  EXPECT_LT(taken, 1500u);
  for (std::size_t i = 0; i < packets.size(); ++i)
    EXPECT_EQ(static_cast<bool>(packets[i]), i >= taken);
  std::array<Packet, 32> out;
  std::size_t received = 0;
  while (const std::size_t n = port->queue().rx_burst(out)) {
    received += n;
    for (Packet& packet : out) packet.reset();
  }
  EXPECT_EQ(received, taken);
}

TEST_F(VirtualDevices, text_freed_while_in_the_ring_stays_readable) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  ASSERT_TRUE(port->queue().caps().tx_multi_segments);
  const Octets payload = test_frame(1000, 7);
  Text text = test_pool().allocate_text();
  text.append(payload);
  Packet packet = test_pool().allocate();
  std::memset(packet.put(54), 1, 54);
  PacketPool::chain(packet, test_pool().refer(*text.node(), 0, 1000));
  ASSERT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
  text.reset();
  std::array<Packet, 1> out;
  ASSERT_EQ(port->queue().rx_burst(out), 1u);
  Octets got(1000);
  EXPECT_EQ(out[0].copy_out(54, got), 1000u);
  EXPECT_EQ(got, payload);
}

TEST_F(VirtualDevices, null_takes_everything_and_gives_packets_without_end) {
  const auto port = open_port("net_null0,size=128,copy=0");
  ASSERT_TRUE(port);
  std::array<Packet, 32> out;
  EXPECT_EQ(port->queue().rx_burst(out), 32u);
  EXPECT_EQ(out[0].size(), 128u);
  EXPECT_EQ(port->queue().tx_burst(out), 32u);
}

TEST_F(VirtualDevices, null_without_receiving) {
  const auto port = open_port("net_null0,no-rx=1");
  ASSERT_TRUE(port);
  std::array<Packet, 32> out;
  EXPECT_EQ(port->queue().rx_burst(out), 0u);
  Packet packet = packet_of(test_pool(), test_frame(60, 1));
  EXPECT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
}

TEST_F(VirtualDevices, a_queue_without_chains_gets_one_copied_segment) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  DeviceCaps poor = port->queue().caps();
  poor.tx_multi_segments = false;
  Queue queue({}, poor, test_pool(), RxInterrupt());  // the same device, seen as a poorer one
  Rng rng(4);
  const Octets frame = test_frame(1400, 3);
  Packet chain = split_packet(test_pool(), rng, frame, 5);
  ASSERT_EQ(queue.tx_burst(std::span(&chain, 1)), 1u);
  EXPECT_EQ(queue.tx_copied(), 1u);
  std::array<Packet, 4> out;
  ASSERT_EQ(queue.rx_burst(out), 1u);
  EXPECT_EQ(out[0].segments(), 1);
  EXPECT_EQ(octets_of(out[0]), frame);
}

TEST_F(VirtualDevices, a_chain_too_long_to_copy_is_dropped_and_counted) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  DeviceCaps poor = port->queue().caps();
  poor.tx_multi_segments = false;
  Queue queue({}, poor, test_pool(), RxInterrupt());
  std::array<Packet, 3> packets;
  for (Packet& packet : packets) packet = packet_of(test_pool(), test_frame(1400, 1));
  PacketPool::chain(packets[1], packet_of(test_pool(), test_frame(1400, 2)));
  EXPECT_EQ(queue.tx_burst(packets), 3u);
  EXPECT_EQ(queue.tx_dropped(), 1u);
  std::array<Packet, 4> out;
  EXPECT_EQ(queue.rx_burst(out), 2u);
}

TEST_F(VirtualDevices, a_chain_of_too_many_segments_is_copied_into_few) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  DeviceCaps poor = port->queue().caps();
  poor.tx_segments = 2;
  poor.tx_tso_segments = 3;
  Queue queue({}, poor, test_pool(), RxInterrupt());
  const auto chain_of = [](std::size_t segments, std::uint64_t flags) {
    Packet packet = packet_of(test_pool(), test_frame(1400, 1));
    for (std::size_t i = 1; i < segments; ++i) {
      PacketPool::chain(packet, packet_of(test_pool(), test_frame(700, 2)));
    }
    packet.mbuf()->ol_flags |= flags;
    return packet;
  };
  std::array<Packet, 4> packets{chain_of(2, 0), chain_of(4, 0), chain_of(6, RTE_MBUF_F_TX_TCP_SEG),
                                chain_of(9, RTE_MBUF_F_TX_TCP_SEG)};
  std::array<Octets, 3> sent;
  for (std::size_t i = 0; i < 3; ++i) sent[i] = octets_of(packets[i]);
  EXPECT_EQ(queue.tx_burst(packets), 4u);
  EXPECT_EQ(queue.tx_copied(), 2u);
  EXPECT_EQ(queue.tx_dropped(), 1u);  // 7,000 octets are no three segments
  std::array<Packet, 4> out;
  ASSERT_EQ(queue.rx_burst(out), 3u);
  const std::uint16_t segments[] = {2, 2, 3};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(octets_of(out[i]), sent[i]);
    EXPECT_EQ(out[i].segments(), segments[i]);
  }
  EXPECT_NE(out[2].mbuf()->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0u);
}

TEST_F(VirtualDevices, without_packets_a_chain_waits_for_its_copy) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  DeviceCaps poor = port->queue().caps();
  poor.tx_multi_segments = false;
  Queue queue({}, poor, test_pool(), RxInterrupt());
  Packet chain = packet_of(test_pool(), test_frame(600, 1));
  PacketPool::chain(chain, packet_of(test_pool(), test_frame(600, 2)));
  std::vector<Packet> taken;
  while (Packet packet = test_pool().allocate_from_reserve()) taken.push_back(std::move(packet));
  EXPECT_EQ(queue.tx_burst(std::span(&chain, 1)), 0u);
  EXPECT_TRUE(chain);
  taken.clear();
  EXPECT_EQ(queue.tx_burst(std::span(&chain, 1)), 1u);
  std::array<Packet, 4> out;
  EXPECT_EQ(queue.rx_burst(out), 1u);
}

// CSUM-3; CSUM-5: "none" is a peer's partial checksum: what never left the machine is believed, of
// the port whose driver says so.
TEST_F(VirtualDevices, received_checksum_flags_are_told_apart) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  struct Case {
    std::uint64_t flags;
    Checksum ip, l4;
  };
  const Case cases[] = {
      {RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, Checksum::good, Checksum::good},
      {RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD, Checksum::bad, Checksum::bad},
      {RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE, Checksum::valid, Checksum::valid},
      {RTE_MBUF_F_RX_IP_CKSUM_GOOD, Checksum::good, Checksum::unknown},
      // What a device has merged, it has verified: the header may have the first segment's sums.
      {RTE_MBUF_F_RX_LRO, Checksum::valid, Checksum::valid},
      {RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD, Checksum::valid, Checksum::good},
      {RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_BAD, Checksum::valid, Checksum::bad},
  };
  for (const Case& c : cases) {
    Packet packet = packet_of(test_pool(), test_frame(60, 1));
    packet.mbuf()->ol_flags |= c.flags | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    packet.mbuf()->vlan_tci = 77;
    ASSERT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
    std::array<Packet, 1> out;
    ASSERT_EQ(port->queue().rx_burst(out), 1u);
    EXPECT_EQ(out[0].meta().ip_checksum, c.ip);
    EXPECT_EQ(out[0].meta().l4_checksum, c.l4);
    EXPECT_TRUE(out[0].meta().has_vlan);
    EXPECT_EQ(out[0].meta().vlan_tci, 77);
  }
}

// net_e1000_igb says GOOD of all when the card does not look.
TEST_F(VirtualDevices, checksum_flags_are_not_heard_without_the_offload) {
  DriverError error;
  const PortOptions options{.name = "test", .device = "net_ring0", .checksum_offload = false};
  const auto port = Port::open(options, test_pool(), error);
  ASSERT_TRUE(port) << error.message;
  Packet packet = packet_of(test_pool(), test_frame(60, 1));
  packet.mbuf()->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  ASSERT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
  std::array<Packet, 1> out;
  ASSERT_EQ(port->queue().rx_burst(out), 1u);
  EXPECT_EQ(out[0].meta().ip_checksum, Checksum::unknown);
  EXPECT_EQ(out[0].meta().l4_checksum, Checksum::unknown);
}

TEST_F(VirtualDevices, pcap_writes_a_file_that_can_be_replayed) {
  const std::string path = testing::TempDir() + "pollux-net-pcap-" + std::to_string(getpid());
  {
    const auto port = open_port("net_pcap0,tx_pcap=" + path);
    ASSERT_TRUE(port);
    Packet packet = packet_of(test_pool(), test_frame(100, 5));
    ASSERT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
  }
  {
    const auto port = open_port("net_pcap0,rx_pcap=" + path);
    ASSERT_TRUE(port);
    std::array<Packet, 4> out;
    ASSERT_EQ(port->queue().rx_burst(out), 1u);
    EXPECT_EQ(octets_of(out[0]), test_frame(100, 5));
    EXPECT_EQ(port->queue().rx_interrupt_fd(), -1);
  }
  unlink(path.c_str());
}

TEST_F(VirtualDevices, a_port_can_be_opened_again_after_it_was_closed) {
  for (int i = 0; i < 5; ++i) {
    const auto port = open_port("net_ring0");
    ASSERT_TRUE(port);
    Packet packet = packet_of(test_pool(), test_frame(60, 1));
    EXPECT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
    std::array<Packet, 4> out;
    EXPECT_EQ(port->queue().rx_burst(out), 1u);
  }
}

TEST_F(VirtualDevices, a_link_that_is_taken_down_is_seen) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  EXPECT_TRUE(port->queue().is_link_up());
  std::uint16_t id = 0;
  ASSERT_EQ(rte_eth_dev_get_port_by_name("net_ring0", &id), 0);
  ASSERT_EQ(rte_eth_dev_set_link_down(id), 0);
  EXPECT_FALSE(port->queue().is_link_up());
  EXPECT_FALSE(port->queue().is_gone());
  ASSERT_EQ(rte_eth_dev_set_link_up(id), 0);
  EXPECT_TRUE(port->queue().is_link_up());
}

bool is_readable(int fd) {
  pollfd asked{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&asked, 1, 0) == 1;
}

// As the kernel asks for a card that is bound to vfio to be given back.
TEST_F(VirtualDevices, a_device_that_is_taken_away_takes_and_gives_nothing_and_can_be_let_go_of) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  EXPECT_FALSE(device.is_gone());
  EXPECT_TRUE(device.next_event().is_never());
  EXPECT_FALSE(is_readable(device.removal_fd()));
  rte_dev_event_callback_process("net_ring0", RTE_DEV_EVENT_REMOVE);
  EXPECT_TRUE(device.is_gone());
  EXPECT_FALSE(device.is_link_up());
  EXPECT_EQ(device.next_event(), Instant());
  EXPECT_TRUE(is_readable(device.removal_fd()));
  std::array<Packet, 4> out;
  EXPECT_EQ(device.rx_burst(out), 0u);
  Packet packet = packet_of(test_pool(), test_frame(60, 1));
  EXPECT_EQ(device.tx_burst(std::span(&packet, 1)), 1u);
  EXPECT_FALSE(packet);

  device.let_go();
  std::uint16_t id = 0;
  EXPECT_NE(rte_eth_dev_get_port_by_name("net_ring0", &id), 0);
  EXPECT_EQ(device.removal_fd(), -1);
  EXPECT_TRUE(device.next_event().is_never());
  EXPECT_EQ(device.rx_burst(out), 0u);
  EXPECT_TRUE(port->counts().empty());
  const auto again = open_port("net_ring0");  // the name is free
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->queue().is_gone());
}

TEST_F(VirtualDevices, another_devices_removal_is_its_own) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  rte_dev_event_callback_process("net_ring1", RTE_DEV_EVENT_REMOVE);
  rte_dev_event_callback_process("net_ring0", RTE_DEV_EVENT_ADD);
  EXPECT_FALSE(port->queue().is_gone());
}

// fault-rx-overflow.
TEST_F(VirtualDevices, a_drivers_counts_are_told_by_name) {
  const auto port = open_port("net_ring0");
  ASSERT_TRUE(port);
  for (int i = 0; i < 3; ++i) {
    Packet packet = packet_of(test_pool(), test_frame(60, 1));
    ASSERT_EQ(port->queue().tx_burst(std::span(&packet, 1)), 1u);
  }
  std::array<Packet, 2> out;
  ASSERT_EQ(port->queue().rx_burst(out), 2u);
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [name, value] : port->counts()) counts[name] = value;
  EXPECT_EQ(counts.at("tx_good_packets"), 3u);
  EXPECT_EQ(counts.at("rx_good_packets"), 2u);
  EXPECT_EQ(counts.at("rx_missed_errors"), 0u);  // a basic one, told though it is 0
  EXPECT_EQ(counts.at("rx_interrupts"), 0u);
  EXPECT_EQ(counts.count("rx_q0_errors"), 0u);  // none of those
  EXPECT_EQ(counts.at("tx_q0_packets"), 3u);
  for (Packet& packet : out) packet.reset();
  EXPECT_EQ(port->queue().rx_burst(out), 1u);
}

TEST_F(VirtualDevices, errors_say_what_to_do) {
  EXPECT_TRUE(has(error_of("net_nonsense0", ENODEV), "check the name"));
  EXPECT_TRUE(has(error_of("net_null0,bogus=1", EIO), "its arguments"));
  EXPECT_TRUE(has(error_of("0000:ff:1f.7", ENODEV), "lspci"));
  EXPECT_TRUE(has(error_of("", ENODEV), "check the name"));
  const auto port = open_port("net_null1");
  ASSERT_TRUE(port);
  EXPECT_TRUE(has(error_of("net_null1", EEXIST), "number it anew"));
}

}  // namespace
}  // namespace pollux
