// rx_interrupt_test.cc - a driver that has no descriptor says so.
#include "drivers/dpdk/rx_interrupt.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/eal_environment.h"

namespace pollux {
namespace {

TEST(RxInterrupt, none_is_minus_one_and_may_be_armed) {
  RxInterrupt none;
  EXPECT_EQ(none.fd(), -1);
  none.arm();
  none.disarm();
}

TEST(RxInterrupt, a_packet_drivers_socket_must_be_a_packet_socket) {
  const int fd = eventfd(0, EFD_CLOEXEC);
  EXPECT_EQ(RxInterrupt::find({}, "net_af_packet", {fd}).fd(), -1);
  EXPECT_EQ(RxInterrupt::find({}, "net_pcap", {}).fd(), -1);
  close(fd);
}

TEST(RxInterrupt, an_unknown_port_has_none) {
  EXPECT_EQ(RxInterrupt::find({.port = 31}, "net_tap", {}).fd(), -1);
}

}  // namespace
}  // namespace pollux
