// rx_interrupt.cc - which driver has which descriptor, found out and tried.
#include "drivers/dpdk/rx_interrupt.h"

#include <poll.h>
#include <rte_ethdev.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace pollux {
namespace {

int domain_of(int fd) {
  int domain = -1;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 ? domain : -1;
}

// The drivers above packet sockets do not tell theirs: it is the one that appeared with them.
int packet_socket(const std::vector<int>& opened) {
  for (const int fd : opened) {
    const int domain = domain_of(fd);
    if (domain == AF_PACKET || domain == AF_XDP) return fd;
  }
  return -1;
}

// An eventfd's is 8 octets, that of a /dev/uio 4; neither is read with another size, and what is
// not read stays readable: no sleep any more.
std::size_t count_size_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) ? 4 : 8;
}

bool is_over_packet_socket(const std::string& driver) {
  return driver == "net_af_packet" || driver == "net_af_xdp" || driver == "net_pcap";
}

}  // namespace

RxInterrupt RxInterrupt::find(std::uint16_t port, const std::string& driver,
                              const std::vector<int>& opened) {
  if (is_over_packet_socket(driver)) {
    const int fd = packet_socket(opened);
    return fd < 0 ? RxInterrupt() : RxInterrupt(Kind::level, port, fd);
  }
  const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port, 0);
  if (fd < 0) return RxInterrupt();
  if (driver == "net_tap") return RxInterrupt(Kind::level, port, fd);
  if (rte_eth_dev_rx_intr_enable(port, 0) != 0) return RxInterrupt();
  rte_eth_dev_rx_intr_disable(port, 0);
  if (driver == "net_vhost") return RxInterrupt(Kind::edge, port, fd);
  return RxInterrupt(Kind::eventfd, port, fd);
}

RxInterrupt::RxInterrupt(Kind kind, std::uint16_t port, int fd)
    : kind_(kind), port_(port), count_size_(count_size_of(fd)), fd_(fd) {
  if (kind_ == Kind::edge) watch_edge();
}

RxInterrupt::RxInterrupt(RxInterrupt&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::none)),
      port_(other.port_),
      count_size_(other.count_size_),
      fd_(std::exchange(other.fd_, -1)),
      epoll_(std::exchange(other.epoll_, -1)) {}

RxInterrupt::~RxInterrupt() {
  if (epoll_ >= 0) close(epoll_);
}

void RxInterrupt::watch_edge() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  if (epoll_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) kind_ = Kind::none;
  if (kind_ == Kind::none) fd_ = -1;
}

void RxInterrupt::arm() {
  if (kind_ == Kind::eventfd || kind_ == Kind::edge) rte_eth_dev_rx_intr_enable(port_, 0);
}

void RxInterrupt::disarm() {
  if (kind_ == Kind::none || kind_ == Kind::level) return;
  rte_eth_dev_rx_intr_disable(port_, 0);
  if (kind_ == Kind::edge) {
    std::array<epoll_event, 1> event;
    while (epoll_wait(epoll_, event.data(), 1, 0) > 0) continue;
    return;
  }
  pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
  std::uint64_t count = 0;
  if (poll(&readable, 1, 0) == 1 && read(fd_, &count, count_size_) < 0) return;
}

}  // namespace pollux
