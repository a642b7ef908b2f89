// memif_queue.cc - bursts between looks at the control socket; connecting again; sleeping.
#include "drivers/dpdk/memif_queue.h"

#include <fcntl.h>
#include <rte_ethdev.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace pollux {
namespace {

constexpr std::uint32_t kBurstsPerLook = 1024;  // a look costs 150 ns, an empty burst some 5
// While the flag is clear each burst of the driver's reads the eventfd, a system call (84 ns and
// more). An idle process that wakes now and then has a few bursts between two sleeps; one that
// spins has more.
constexpr unsigned kBurstsArmed = 16;
constexpr int kCallsPerLook = 16;  // a peer that talks without end does not keep us
constexpr std::int64_t kRetryNs = 20'000'000;
constexpr std::int64_t kSecondLookNs = 1'000'000;

// A client that copies nothing gets the length of a chained frame wrong: the segments' are right.
void sum_length(rte_mbuf* mbuf) {
  std::uint32_t length = 0;
  for (const rte_mbuf* m = mbuf; m; m = m->next) length += m->data_len;
  mbuf->pkt_len = length;
}

}  // namespace

MemifQueue::MemifQueue(std::uint16_t port, const DeviceCaps& caps, PacketPool& pool,
                       std::unique_ptr<CallbackLoop> loop, bool is_client)
    : Queue({.port = port}, caps, pool, RxInterrupt()),
      loop_(std::move(loop)),
      is_client_(is_client) {
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  CHECK(timer_ >= 0 && loop_->watch(timer_));
  link_went_down();
}

MemifQueue::~MemifQueue() {
  if (rx_epoll_ >= 0) close(rx_epoll_);
  close(timer_);
}

std::size_t MemifQueue::rx_burst(std::span<Packet> out) {
  if (!is_up_ || ++bursts_ % kBurstsPerLook == 0) attend();
  if (!is_up_) return 0;
  const std::size_t n = Queue::rx_burst(out);
  for (std::size_t i = 0; i < n; ++i) {
    if (out[i].segments() > 1) sum_length(out[i].mbuf());
  }
  // Not while somebody sleeps, whose interrupt this may be: it was another thread's burst.
  if (is_armed_ && !is_asleep_ && (n > 0 || ++bursts_armed_ > kBurstsArmed)) mask();
  return n;
}

std::size_t MemifQueue::tx_burst(std::span<Packet> packets) {
  if (is_up_) return Queue::tx_burst(packets);
  for (Packet& packet : packets) packet.reset();
  return packets.size();
}

void MemifQueue::attend() {
  for (int i = 0; i < kCallsPerLook && loop_->run_one(); ++i) look_at_link();
  if (timer_expired() && !is_up_ && is_client_) restart_client();
}

// After every single callback: a link that goes down and up unseen would leave us the old ring.
void MemifQueue::look_at_link() {
  rte_eth_link link{};
  const bool up = rte_eth_link_get_nowait(port(), &link) == 0 && link.link_status != 0;
  if (up == is_up_) return;
  is_up_ = up;
  if (up) {
    link_went_up();
  } else {
    link_went_down();
  }
}

// Its start fails while no server listens; until the next one the port stays stopped.
void MemifQueue::restart_client() {
  const CallbackLoop::Scope scope(*loop_);
  rte_eth_dev_stop(port());
  rte_eth_dev_start(port());
  look_at_link();
}

void MemifQueue::link_went_up() {
  ++ups_;
  set_timer(0, 0);
  ring_.attach(port());
  if (ring_.is_usable() && watch_ring()) return is_asleep_ ? unmask() : mask();
  ring_.forget();
  set_timer(kSecondLookNs, kSecondLookNs);  // who sleeps on us is woken to poll
}

// The eventfd may be the peer's, so nothing is taken for granted about it.
bool MemifQueue::watch_ring() {
  const int fd = ring_.event_fd();
  rx_epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (rx_epoll_ < 0 || epoll_ctl(rx_epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return false;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return false;
  return loop_->watch(rx_epoll_);
}

// The eventfd's other end may be alive in the peer, which would keep it registered: the epoll goes.
void MemifQueue::link_went_down() {
  if (rx_epoll_ >= 0) close(rx_epoll_);
  rx_epoll_ = -1;
  ring_.forget();
  is_armed_ = false;
  if (is_client_) {
    set_timer(kRetryNs, kRetryNs);
  } else {
    set_timer(0, 0);
  }
}

void MemifQueue::arm_rx_interrupt() {
  attend();
  is_asleep_ = true;
  bursts_armed_ = 0;
  if (is_up_ && !is_armed_ && ring_.is_usable()) unmask();
}

void MemifQueue::unmask() {
  ring_.allow_interrupts();
  is_armed_ = true;
  set_timer(kSecondLookNs, 0);
}

void MemifQueue::mask() {
  ring_.mask_interrupts();
  is_armed_ = false;
}

void MemifQueue::disarm_rx_interrupt() {
  attend();
  is_asleep_ = false;
  if (!ring_.is_usable()) return;
  epoll_event event{};
  std::uint64_t count = 0;
  if (epoll_wait(rx_epoll_, &event, 1, 0) != 1) return;
  if (read(ring_.event_fd(), &count, sizeof count) == sizeof count) ++wakes_by_peer_;
}

void MemifQueue::set_timer(std::int64_t first_ns, std::int64_t interval_ns) {
  itimerspec spec{};
  spec.it_value.tv_nsec = first_ns;
  spec.it_interval.tv_nsec = interval_ns;
  CHECK(timerfd_settime(timer_, 0, &spec, nullptr) == 0);
}

bool MemifQueue::timer_expired() {
  std::uint64_t expirations = 0;
  return read(timer_, &expirations, sizeof expirations) == sizeof expirations;
}

}  // namespace pollux
