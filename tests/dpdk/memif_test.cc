// memif_test.cc - net_memif between two processes: echo, chained frames, sleep, and a peer that is
// killed.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>

#include "drivers/dpdk/memif_queue.h"
#include "tests/dpdk/device_support.h"

extern char** environ;

namespace pollux {
namespace {

using testing_support::eventually;
using testing_support::kTestType;
using testing_support::Octets;
using testing_support::open_port;
using testing_support::packet_of;
using testing_support::receive_frames;
using testing_support::test_frame;
using testing_support::test_pool;

enum class Role { server, client };

const char* name_of(Role role) { return role == Role::server ? "server" : "client"; }
Role other(Role role) { return role == Role::server ? Role::client : Role::server; }

// A name of its own for every test: an abstract socket, gone with its owner.
std::string device_of(Role role) {
  return std::string("net_memif0,role=") + name_of(role) +
         ",socket-abstract=yes,socket=pollux-memif-test-" + std::to_string(getpid());
}

class Peer {
 public:
  Peer(Role role, int delay_us) : device_(device_of(role)), delay_(std::to_string(delay_us)) {
    start();
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { kill(); }
  void start() {
    std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    program += "/dpdk-memif-peer";
    char* const arguments[] = {program.data(), device_.data(), delay_.data(), nullptr};
    ASSERT_EQ(posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  std::string device_;
  std::string delay_;
  pid_t pid_ = 0;
};

class MemifTest : public testing_support::PoolEndsFull, public testing::WithParamInterface<Role> {
 protected:
  bool send(NetDevice& device, std::size_t size, std::uint32_t number) {
    const Octets frame = test_frame(size, number);
    Packet packet;
    for (std::size_t at = 0; at < size; at += 1500) {
      Packet part = packet_of(
          test_pool(), ConstBytes(frame).subspan(at, std::min<std::size_t>(1500, size - at)));
      if (packet) {
        PacketPool::chain(packet, std::move(part));
      } else {
        packet = std::move(part);
      }
    }
    return device.tx_burst(std::span(&packet, 1)) == 1;
  }
  // Sends again while nothing comes: frames are lost while the link is down.
  bool echoes(NetDevice& device, std::size_t size, std::uint32_t number) {
    int tries = 0;
    return eventually([&] {
      if (tries++ % 1000 == 0) send(device, size, number);
      for (const Octets& frame : receive_frames(device, kTestType)) {
        if (frame == test_frame(size, number)) return true;
      }
      return false;
    });
  }
};

TEST_P(MemifTest, frames_of_all_sizes_come_back) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  Peer peer(other(GetParam()), 0);
  NetDevice& device = port->queue();
  ASSERT_TRUE(eventually([&] {
    receive_frames(device, kTestType);
    return device.is_link_up();
  }));
  for (const std::size_t size : {60u, 1514u, 2048u, 2049u, 5000u, 9014u}) {
    EXPECT_TRUE(echoes(device, size, static_cast<std::uint32_t>(size))) << size;
  }
}

TEST_P(MemifTest, a_killed_peer_hurts_nobody_and_comes_back) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  Peer peer(other(GetParam()), 0);
  for (std::uint32_t round = 0; round < 10; ++round) {
    ASSERT_TRUE(echoes(device, 60, round)) << "round " << round;
    std::array<Packet, 32> out;
    // Killed while frames run both ways.
    for (std::uint32_t i = 0; i < 3000; ++i) {
      send(device, 1514, i);
      const std::size_t n = device.rx_burst(out);
      for (std::size_t k = 0; k < n; ++k) out[k].reset();
      if (i == 1500) peer.kill();
    }
    EXPECT_TRUE(eventually([&] {
      receive_frames(device, kTestType);
      return !device.is_link_up();
    }));
    Packet lost = packet_of(test_pool(), test_frame(60, 1));
    EXPECT_EQ(device.tx_burst(std::span(&lost, 1)), 1u) << "no cable: sent and lost";
    peer.start();
  }
  EXPECT_TRUE(echoes(device, 60, 99));
  EXPECT_EQ(static_cast<MemifQueue&>(device).reconnects(), 10u);
}

// The answer comes while we sleep; every sleep must end with it, none by its limit.
TEST_P(MemifTest, a_sleeper_is_woken_by_every_packet) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  Peer peer(other(GetParam()), 150);
  ASSERT_TRUE(echoes(device, 60, 1'000'000));
  int slept = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(send(device, 60, i));
    bool is_here = false;
    for (int look = 0; look < 50 && !is_here; ++look) {
      device.arm_rx_interrupt();
      is_here = !receive_frames(device, kTestType).empty();
      if (is_here) break;
      pollfd p{.fd = device.rx_interrupt_fd(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(poll(&p, 1, 2000), 1) << "slept past a packet";
      ++slept;
      device.disarm_rx_interrupt();
      is_here = !receive_frames(device, kTestType).empty();
    }
    ASSERT_TRUE(is_here) << i;
  }
  EXPECT_GT(slept, 100) << "hardly any answer was slept for";
  EXPECT_GT(static_cast<MemifQueue&>(device).wakes_by_peer(), 100u);
}

// Whoever polls meanwhile without sleeping has many bursts; they must not mask the sleeper's
// interrupt, or only the second look, 1 ms later, would find the answer.
TEST_P(MemifTest, bursts_of_another_thread_leave_the_sleeper_its_interrupt) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  Peer peer(other(GetParam()), 150);
  ASSERT_TRUE(echoes(device, 60, 1'000'000));
  while (!receive_frames(device, kTestType).empty()) continue;
  const std::uint64_t wakes_before = static_cast<MemifQueue&>(device).wakes_by_peer();
  for (std::uint32_t i = 0; i < 100; ++i) {
    device.arm_rx_interrupt();
    for (int burst = 0; burst < 40; ++burst) receive_frames(device, kTestType);
    ASSERT_TRUE(send(device, 60, i));
    for (bool is_here = false; !is_here;) {
      pollfd p{.fd = device.rx_interrupt_fd(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(poll(&p, 1, 2000), 1) << "slept past a packet";
      device.disarm_rx_interrupt();
      is_here = !receive_frames(device, kTestType).empty();
      if (!is_here) device.arm_rx_interrupt();
    }
    device.disarm_rx_interrupt();
  }
  EXPECT_GT(static_cast<MemifQueue&>(device).wakes_by_peer() - wakes_before, 10u);
}

// An idle sleeper is woken at most once in vain; then the descriptor stays quiet.
TEST_P(MemifTest, an_idle_sleep_lasts) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  NetDevice& device = port->queue();
  Peer peer(other(GetParam()), 0);
  ASSERT_TRUE(echoes(device, 60, 1));
  while (!receive_frames(device, kTestType).empty()) continue;
  int wakes = 0;
  for (int i = 0; i < 3; ++i) {
    device.arm_rx_interrupt();
    receive_frames(device, kTestType);
    pollfd p{.fd = device.rx_interrupt_fd(), .events = POLLIN, .revents = 0};
    wakes += poll(&p, 1, 100);
    device.disarm_rx_interrupt();
  }
  EXPECT_LE(wakes, 1);
}

TEST_P(MemifTest, a_port_without_peer_is_down_and_loses) {
  const auto port = open_port(device_of(GetParam()));
  ASSERT_TRUE(port);
  EXPECT_FALSE(port->queue().is_link_up());
  EXPECT_TRUE(send(port->queue(), 60, 1));
  std::array<Packet, 4> out;
  EXPECT_EQ(port->queue().rx_burst(out), 0u);
}

INSTANTIATE_TEST_SUITE_P(Roles, MemifTest, testing::Values(Role::server, Role::client),
                         [](const auto& role) { return name_of(role.param); });

}  // namespace
}  // namespace pollux
