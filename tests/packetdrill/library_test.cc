// library_test.cc - the library as packetdrill opens it: one symbol, 33 slots, time of its own.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/packetdrill/interface.h"

namespace {

constexpr int kAsPacketdrill = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND;

void* open_library() {
  const char* const path = std::getenv("POLLUX_PACKETDRILL_LIBRARY");
  void* const library = path ? dlopen(path, kAsPacketdrill) : nullptr;
  EXPECT_NE(library, nullptr) << dlerror();
  return library;
}

// One table for all: a process has one stack at a time.
class Library : public testing::Test {
 protected:
  void SetUp() override {
    auto* const init = reinterpret_cast<packetdrill_interface_init_t>(
        dlsym(open_library(), "packetdrill_interface_init"));
    ASSERT_NE(init, nullptr);
    init("time_wait_ms=100", &table);
  }
  void TearDown() override { table.free(table.userdata); }

  long long usecs() {
    timeval time{};
    table.gettimeofday(table.userdata, &time, nullptr);
    return time.tv_sec * 1'000'000LL + time.tv_usec;
  }
  int stream() { return table.socket(table.userdata, AF_INET, SOCK_STREAM, 0); }

  packetdrill_interface table{};
};

TEST(LibraryFile, shows_one_symbol) {
  void* const library = open_library();
  EXPECT_NE(dlsym(library, "packetdrill_interface_init"), nullptr);
  EXPECT_EQ(dlsym(library, "plx_socket"), nullptr);
}

TEST_F(Library, fills_every_slot) {
  std::array<void*, 33> slots{};
  static_assert(sizeof slots == sizeof table);
  std::memcpy(slots.data(), &table, sizeof slots);
  EXPECT_EQ(std::count(slots.begin(), slots.end(), nullptr), 0);
}

TEST_F(Library, an_hour_of_sleep_costs_none) {
  const long long before = usecs();
  constexpr useconds_t kHour = 3'600'000'000;
  table.usleep(table.userdata, kHour);
  EXPECT_GE(usecs() - before, kHour);
  EXPECT_LT(usecs() - before, kHour + 1000);
}

// Or the tool would spin for ever.
TEST_F(Library, time_passes_with_every_look_at_the_clock) {
  const long long before = usecs();
  EXPECT_GT(usecs(), before);
}

TEST_F(Library, says_that_no_packet_will_come) {
  std::array<char, 2048> packet{};
  std::size_t length = packet.size();
  long long time = 0;
  EXPECT_EQ(table.netdev_receive(table.userdata, packet.data(), &length, &time), 0);
  EXPECT_EQ(length, 0u);
}

TEST_F(Library, returns_a_packet_with_its_time) {
  const int fd = table.socket(table.userdata, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(80);
  in.sin_addr.s_addr = inet_addr("198.18.0.1");
  const auto* const to = reinterpret_cast<const sockaddr*>(&in);
  EXPECT_EQ(table.connect(table.userdata, fd, to, sizeof in), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  const long long before = usecs();
  std::array<char, 2048> packet{};
  for (const long long due : {0, 1'000'000}) {
    std::size_t length = packet.size();
    long long time = 0;
    table.netdev_receive(table.userdata, packet.data(), &length, &time);
    EXPECT_EQ(length, 60u);  // IP, TCP, 20 octets of options
    EXPECT_EQ(packet[0], 0x45);
    EXPECT_NEAR(static_cast<double>(time - before), static_cast<double>(due), 1000);
  }
  EXPECT_EQ(table.close(table.userdata, fd), 0);
}

// The tool closes what is left by libc's close.
TEST_F(Library, descriptors_are_the_kernels) {
  const int fd = stream();
  const int copy = ::dup(fd);
  EXPECT_GE(copy, 0);
  ::close(copy);
  EXPECT_EQ(table.close(table.userdata, fd), 0);
  EXPECT_EQ(::dup(fd), -1);
}

TEST_F(Library, another_threads_time_ends_a_call_that_blocks) {
  const int fd = stream();
  const timeval limit{.tv_sec = 5};
  table.setsockopt(table.userdata, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  EXPECT_EQ(table.listen(table.userdata, fd, 1), 0);
  const long long before = usecs();
  int result = 0, error = 0;
  long long after = 0;
  std::thread blocked([&] {
    result = table.accept(table.userdata, fd, nullptr, nullptr);
    error = errno;
    after = usecs();
  });
  std::atomic<bool> is_over{false};
  std::thread tool([&] {
    while (!is_over) table.usleep(table.userdata, 1'000'000);
  });
  blocked.join();
  is_over = true;
  tool.join();
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, EAGAIN);
  EXPECT_GE(after - before, 5'000'000);
  table.close(table.userdata, fd);
}

TEST_F(Library, has_no_splice) {
  errno = 0;
  EXPECT_EQ(table.splice(table.userdata, 0, nullptr, 1, nullptr, 1, 0), -1);
  EXPECT_EQ(errno, ENOSYS);
}

TEST(LibraryDeath, names_a_flag_that_it_does_not_know) {
  auto* const init = reinterpret_cast<packetdrill_interface_init_t>(
      dlsym(open_library(), "packetdrill_interface_init"));
  packetdrill_interface table{};
  EXPECT_DEATH(init("tcp.no_such_key=1", &table), "no_such_key");
  EXPECT_DEATH(init("mtu", &table), "flag not understood: mtu");
}

}  // namespace
