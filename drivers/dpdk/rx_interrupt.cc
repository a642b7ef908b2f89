// rx_interrupt.cc - which driver has which descriptor, found out and tried.
#include "drivers/dpdk/rx_interrupt.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "drivers/dpdk/tsc_clock.h"

namespace pollux {
namespace {

int domain_of(int fd) {
  int domain = -1;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 ? domain : -1;
}

// The drivers above packet sockets do not tell theirs: they are those that appeared with them, in
// the order of the queues.
int packet_socket(const std::vector<int>& opened, unsigned index) {
  for (const int fd : opened) {
    const int domain = domain_of(fd);
    if ((domain == AF_PACKET || domain == AF_XDP) && index-- == 0) return fd;
  }
  return -1;
}

// An eventfd's is 8 octets, that of a /dev/uio 4; neither is read with another size, and what is
// not read stays readable: no sleep any more.
std::uint8_t count_size_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) ? 4 : 8;
}

bool is_ready(int fd, short events) {
  pollfd state{.fd = fd, .events = events, .revents = 0};
  return poll(&state, 1, 0) == 1;
}

// Whether the interface below is still there. A socket's error is taken, or it would be told again
// and again: that of an interface that is merely down too.
bool is_device_there(int fd) {
  const int domain = domain_of(fd);
  if (domain < 0) {
    ifreq request{};
    return ioctl(fd, TUNGETIFF, &request) == 0;
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (domain == AF_XDP) return error != ENETDOWN;
  sockaddr_ll address{};
  socklen_t length = sizeof address;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
         address.sll_ifindex >= 0;
}

bool is_over_packet_socket(const std::string& driver) {
  return driver == "net_af_packet" || driver == "net_af_xdp" || driver == "net_pcap";
}

}  // namespace

RxInterrupt RxInterrupt::find(QueueId id, const std::string& driver,
                              const std::vector<int>& opened) {
  if (is_over_packet_socket(driver)) {
    const int fd = packet_socket(opened, id.index);
    return fd < 0 ? RxInterrupt() : RxInterrupt(Kind::level, id, fd);
  }
  const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id.port, id.index);
  if (fd < 0) return RxInterrupt();
  if (driver == "net_tap") return RxInterrupt(Kind::level, id, fd);
  if (rte_eth_dev_rx_intr_enable(id.port, id.index) != 0) return RxInterrupt();
  rte_eth_dev_rx_intr_disable(id.port, id.index);
  if (driver == "net_vhost") return RxInterrupt(Kind::edge, id, fd);
  return RxInterrupt(Kind::eventfd, id, fd);
}

RxInterrupt::RxInterrupt(Kind kind, QueueId id, int fd)
    : kind_(kind), count_size_(count_size_of(fd)), id_(id), fd_(fd) {
  if (kind_ == Kind::edge) watch_edge();
}

RxInterrupt::RxInterrupt(RxInterrupt&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::none)),
      count_size_(other.count_size_),
      id_(other.id_),
      fd_(other.fd_.exchange(-1)),
      was_down_(other.was_down_),
      has_lost_device_(other.has_lost_device_),
      trial_(other.trial_) {}

RxInterrupt::~RxInterrupt() {
  if (kind_ == Kind::edge) close(fd_);
}

void RxInterrupt::watch_edge() {
  const int drivers = fd_.exchange(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, drivers, &event) == 0) return;
  if (fd_ >= 0) close(fd_);
  give_up();
}

void RxInterrupt::arm() {
  if (kind_ == Kind::eventfd) trial_.arm();
  if (kind_ == Kind::eventfd || kind_ == Kind::edge)
    rte_eth_dev_rx_intr_enable(id_.port, id_.index);
}

void RxInterrupt::disarm() {
  if (kind_ == Kind::none) return;
  if (kind_ == Kind::level) return look_for_loss();
  trial_.disarm();
  rte_eth_dev_rx_intr_disable(id_.port, id_.index);
  if (kind_ == Kind::edge) {
    std::array<epoll_event, 1> event;
    while (epoll_wait(fd_, event.data(), 1, 0) > 0) continue;
    return;
  }
  std::uint64_t count = 0;
  // uio's way to say that its card is gone, from now on and always.
  if (is_ready(fd_, POLLIN) && read(fd_, &count, count_size_) < 0 && errno == EIO) {
    has_lost_device_ = true;
    give_up();
  }
}

void RxInterrupt::judge(std::size_t packets) {
  static TscClock clock;
  trial_.burst(packets, clock.now(), [this] { return is_ready(fd_, POLLIN); });
  if (!has_failed()) return;
  char device[RTE_ETH_NAME_MAX_LEN] = "";
  rte_eth_dev_get_name_by_port(id_.port, device);
  rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1,
          "pollux: queue %u of %s promises receive interrupts and gives none: it is polled\n",
          unsigned{id_.index}, device);
  rte_eth_dev_rx_intr_disable(id_.port, id_.index);
  give_up();
}

// Down it has its error, and is told of no other when it is deleted then: once down, asked always.
void RxInterrupt::look_for_loss() {
  was_down_ = was_down_ || is_ready(fd_, 0);
  if (!was_down_ || is_device_there(fd_)) return;
  has_lost_device_ = true;
  give_up();
}

void RxInterrupt::give_up() {
  kind_ = Kind::none;
  fd_ = -1;
}

}  // namespace pollux
