// kernel_devices_test.cc - net_tap and net_af_packet in a network namespace of the test's own;
// root.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/dpdk/kernel_support.h"

// net_af_xdp's library keeps 80 octets of each socket it ever made.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libxdp"; }

namespace pollux {
namespace {

using testing_support::eventually;
using testing_support::is_readable;
using testing_support::kTestType;
using testing_support::Octets;
using testing_support::open_port;
using testing_support::packet_of;
using testing_support::receive_frames;
using testing_support::run;
using testing_support::test_frame;
using testing_support::test_pool;

// A packet socket at the kernel's end of a device.
class KernelEnd {
 public:
  explicit KernelEnd(const std::string& interface) {
    fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(kTestType));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kTestType);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  KernelEnd(const KernelEnd&) = delete;
  KernelEnd& operator=(const KernelEnd&) = delete;
  ~KernelEnd() { close(fd_); }
  void send(const Octets& frame) const {
    EXPECT_EQ(::send(fd_, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }
  Octets receive() const {
    Octets frame(2000);
    const ssize_t n = recv(fd_, frame.data(), frame.size(), 0);
    frame.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return frame;
  }

 private:
  int fd_;
};

class KernelDevices : public testing_support::InOwnNamespace {};

// The device's descriptor wakes for each packet, and is quiet once the queue is empty.
void expect_wakes(NetDevice& device, const KernelEnd& kernel) {
  ASSERT_GE(device.rx_interrupt_fd(), 0);
  EXPECT_EQ(fcntl(device.rx_interrupt_fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  for (std::uint32_t i = 0; i < 50; ++i) {
    while (!receive_frames(device, kTestType).empty()) continue;
    device.arm_rx_interrupt();
    kernel.send(test_frame(60, i));
    ASSERT_TRUE(eventually([&] { return is_readable(device.rx_interrupt_fd(), 100); }));
    device.disarm_rx_interrupt();
    std::vector<Octets> frames;
    ASSERT_TRUE(eventually([&] {
      frames = receive_frames(device, kTestType);
      return !frames.empty();
    }));
    EXPECT_EQ(frames[0], test_frame(60, i));
  }
  std::array<Packet, 32> out;
  EXPECT_TRUE(eventually([&] {
    device.rx_burst(out);
    return !is_readable(device.rx_interrupt_fd(), 0);
  }));
}

void expect_both_ways(NetDevice& device, const KernelEnd& kernel) {
  for (std::uint32_t i = 0; i < 50; ++i) {
    Packet packet = packet_of(test_pool(), test_frame(60 + i * 20, i));
    ASSERT_TRUE(eventually([&] { return device.tx_burst(std::span(&packet, 1)) == 1; }));
    Octets got;
    ASSERT_TRUE(eventually([&] {
      got = kernel.receive();
      return !got.empty();
    }));
    EXPECT_EQ(got, test_frame(60 + i * 20, i));
  }
}

TEST_F(KernelDevices, tap_carries_frames_both_ways_and_wakes) {
  const auto port = open_port("net_tap0,iface=plxtest0");
  ASSERT_TRUE(port);
  EXPECT_EQ(port->kernel_interface(), "plxtest0");
  EXPECT_EQ(port->driver(), "net_tap");
  ASSERT_TRUE(run("ip link set plxtest0 up"));
  const KernelEnd kernel("plxtest0");
  expect_both_ways(port->queue(), kernel);
  expect_wakes(port->queue(), kernel);
}

TEST_F(KernelDevices, tap_ends_have_two_addresses) {
  const auto port = open_port("net_tap0,iface=plxtest0");
  ASSERT_TRUE(port);
  ifreq request{};
  std::snprintf(request.ifr_name, IFNAMSIZ, "plxtest0");
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_EQ(ioctl(fd, SIOCGIFHWADDR, &request), 0);
  close(fd);
  EXPECT_NE(std::memcmp(request.ifr_hwaddr.sa_data, port->queue().caps().mac.data(), 6), 0);
}

TEST_F(KernelDevices, tap_interrupts_no_system_call) {
  struct sigaction before[65];
  for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) sigaction(s, nullptr, &before[s]);
  const auto port = open_port("net_tap0,iface=plxtest0");
  ASSERT_TRUE(port);
  for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) {
    struct sigaction now {};
    sigaction(s, nullptr, &now);
    EXPECT_EQ(now.sa_handler, before[s].sa_handler) << "signal " << s;
  }
  EXPECT_EQ(fcntl(port->queue().rx_interrupt_fd(), F_GETFL) & O_ASYNC, 0);
}

TEST_F(KernelDevices, tap_takes_the_mtu_it_is_given) {
  DriverError error;
  const auto port = Port::open({.name = "t", .device = "net_tap0,iface=plxtest0", .mtu = 1400},
                               test_pool(), error);
  ASSERT_TRUE(port) << error.message;
  EXPECT_EQ(port->queue().caps().mtu, 1400);
}

TEST_F(KernelDevices, a_tap_that_another_has_is_busy) {
  const auto port = open_port("net_tap0,iface=plxtest0");
  ASSERT_TRUE(port);
  DriverError error;
  EXPECT_FALSE(Port::open({.name = "t", .device = "net_tap1,iface=plxtest0"}, test_pool(), error));
  EXPECT_EQ(error.error, EBUSY) << error.message;
}

TEST_F(KernelDevices, af_packet_carries_frames_both_ways_and_wakes) {
  ASSERT_TRUE(
      run("ip link add plxa type veth peer name plxb && ip link set plxa up &&"
          " ip link set plxb up"));
  {
    const auto port = open_port("net_af_packet0,iface=plxa");
    ASSERT_TRUE(port);
    const KernelEnd kernel("plxb");
    expect_both_ways(port->queue(), kernel);
    expect_wakes(port->queue(), kernel);
  }
  EXPECT_TRUE(run("ip link del plxa"));
}

TEST_F(KernelDevices, af_xdp_carries_frames_both_ways_and_wakes) {
  ASSERT_TRUE(
      run("ip link add plxa type veth peer name plxb && ip link set plxa up &&"
          " ip link set plxb up"));
  DriverError error;
  const PortOptions options{.name = "lan", .device = "net_af_xdp0,iface=plxa"};
  EXPECT_FALSE(Port::open(options, test_pool(), error));
  EXPECT_EQ(error.error, ENOBUFS) << error.message;
  Result<PacketPool> pool = PacketPool::create("xdp", 4096, 2048);
  ASSERT_TRUE(pool.ok());
  {
    const auto port = Port::open(options, *pool, error);
    ASSERT_TRUE(port) << error.message;
    const KernelEnd kernel("plxb");
    expect_both_ways(port->queue(), kernel);
    expect_wakes(port->queue(), kernel);
  }
  EXPECT_TRUE(run("ip link del plxa"));
}

// As a thread that sleeps on the device and wakes does.
bool is_gone_after_a_sleep(NetDevice& device) {
  device.arm_rx_interrupt();
  std::array<Packet, 32> out;
  device.rx_burst(out);
  device.disarm_rx_interrupt();
  return device.is_gone();
}

TEST_F(KernelDevices, a_tap_that_is_deleted_is_gone) {
  const auto port = open_port("net_tap0,iface=plxtest0");
  ASSERT_TRUE(port && run("ip link set plxtest0 up"));
  NetDevice& device = port->queue();
  EXPECT_TRUE(eventually([&] { return device.is_link_up(); }));
  EXPECT_FALSE(is_gone_after_a_sleep(device));
  ASSERT_TRUE(run("ip link set plxtest0 down"));
  EXPECT_TRUE(eventually([&] { return !device.is_link_up(); }));
  EXPECT_FALSE(is_gone_after_a_sleep(device));
  ASSERT_TRUE(run("ip link del plxtest0"));
  EXPECT_TRUE(eventually([&] { return is_gone_after_a_sleep(device); }));
  EXPECT_EQ(device.rx_interrupt_fd(), -1);
  device.let_go();
}

TEST_F(KernelDevices, an_interface_that_is_down_wakes_nobody_and_one_that_is_deleted_is_gone) {
  ASSERT_TRUE(
      run("ip link add plxa type veth peer name plxb && ip link set plxa up &&"
          " ip link set plxb up"));
  const auto port = open_port("net_af_packet0,iface=plxa");
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  ASSERT_TRUE(run("ip link set plxa down"));
  EXPECT_TRUE(is_readable(device.rx_interrupt_fd(), 1000));  // the socket's error
  EXPECT_FALSE(is_gone_after_a_sleep(device));
  EXPECT_FALSE(is_readable(device.rx_interrupt_fd(), 0));
  ASSERT_TRUE(run("ip link del plxa"));
  EXPECT_TRUE(eventually([&] { return is_gone_after_a_sleep(device); }));
  device.let_go();
}

TEST_F(KernelDevices, an_mtu_above_the_devices_is_said) {
  DriverError error;
  const PortOptions options{.name = "lan", .device = "net_tap0,iface=plxtest0", .mtu = 65'000};
  EXPECT_FALSE(Port::open(options, test_pool(), error));
  EXPECT_EQ(error.error, EINVAL);
  EXPECT_NE(error.message.find("largest"), std::string::npos) << error.message;
}

TEST_F(KernelDevices, taps_without_names_get_free_ones) {
  const auto first = open_port("net_tap0");
  const auto second = open_port("net_tap1");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->kernel_interface(), second->kernel_interface());
}

TEST_F(KernelDevices, no_such_interface_is_said) {
  DriverError error;
  EXPECT_FALSE(
      Port::open({.name = "lan", .device = "net_af_packet0,iface=plxnone"}, test_pool(), error));
  EXPECT_NE(error.error, 0);
  EXPECT_NE(error.message.find("plxnone"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace pollux
