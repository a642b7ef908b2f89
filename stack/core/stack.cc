// stack.cc - one poll of the world, its timers, and what a sleeper needs to know of it.
#include "stack/core/stack.h"

#include <algorithm>

#include "epoll/event_fd.h"
#include "epoll/poll_select.h"

namespace pollux {
namespace {

constexpr std::uint32_t kPathMtuEntries = 256;
constexpr std::uint32_t kPingSockets = 64;
constexpr std::size_t kLoopbackPackets = 1024;
constexpr std::size_t kDatagramsOut = 512;
constexpr std::size_t kStreamErrors = 256;
constexpr std::uint16_t kLoopbackMtu = 65535;
constexpr std::size_t kLetters = 1024;  // several bursts from every other queue
constexpr unsigned kMaxDeferredWrites = 16;
constexpr Duration kMaxDeferral = Duration::us(10);
constexpr Duration kNoLimit = Duration::ns(INT64_MAX);
// Twice what drivers/dpdk/interrupt_trial.h calls late.
constexpr Duration kTrialSleep = Duration::ms(20);

tcp::TcpLimits tcp_limits(const Config& config) {
  return {.connections = config.connections,
          .listeners = config.listeners,
          .time_waits = config.time_waits,
          .half_open = std::max(config.connections / 4, 1u)};
}

}  // namespace

Stack::Stack(const Config& config, const Parts& parts, std::uint64_t seed,
             const tcp::Secret& secret)
    : entry_(config.threads),
      index_(parts.index),
      peers_(parts.peers),
      inbox_(parts.peers ? kLetters : 1),
      clock_(parts.clock),
      rng_(seed),
      pool_(parts.pool),
      path_mtu_(kPathMtuEntries, rng_),
      ip_ids_(rng_),
      reassembly_({}, rng_),
      icmp_rate_limit_({}, rng_),
      neighbour_limits_{.entries = config.neighbours},
      tcp_(config.tcp, tcp_limits(config), {parts.pool, parts.ports, rng_, counters_, parts.index},
           secret, clock_.now()),
      udp_(config.sockets, {}, rng_),
      ping_(kPingSockets, {}, rng_),
      loopback_(kLoopbackPackets),
      datagrams_out_(kDatagramsOut),
      stream_errors_(kStreamErrors),
      world_{.entry = entry_,
             .napis = NapiSet{1} << parts.index,
             .tcp = tcp_,
             .udp = udp_,
             .ping = ping_,
             .routes = routes_,
             .path_mtu = path_mtu_,
             .pool = pool_,
             .datagrams_out = datagrams_out_,
             .stream_errors = stream_errors_,
             .rng = rng_,
             .counters = counters_,
             .gate = *this,
             .busy_read = config.busy_read} {
  if (peers_) {
    tcp_.set_steering({[](const void* stack, const FourTuple& tuple) {
                         return static_cast<const Stack*>(stack)->comes_home(tuple);
                       },
                       this});
  }
  routes_.add_interface(kLoopbackInterface, kLoopbackMtu);
  routes_.add_address(kLoopbackInterface, {IpAddress::v4(127, 0, 0, 1), 8});
}

Stack::~Stack() = default;

void Stack::add_interface(NetDevice& device, const PortConfig& config, const RssMap& rss) {
  const auto id = static_cast<InterfaceId>(interfaces_.size() + 1);
  const Interface::Params params{
      .id = id, .vlan = config.vlan, .neighbours = neighbour_limits_, .rss = rss};
  const Instant now = clock_.now();
  interfaces_.push_back(std::make_unique<Interface>(params, device, rng_, now));
  routes_.add_interface(id, config.mtu ? config.mtu : device.caps().mtu);
  for (const Prefix& address : config.addresses) {
    routes_.add_address(id, address);
    // One of several announces for all.
    const Claim claim = index_ != 0 ? Claim::silent : config.probe ? Claim::probe : Claim::announce;
    interfaces_.back()->neighbours().add_address(address, claim, now);
  }
  if (config.gateway) routes_.add_gateway({IpAddress::any_v4(), 0}, *config.gateway);
  note_changes();
}

std::optional<IpAddress> Stack::first_not_owned() const {
  for (const auto& in : interfaces_) {
    if (const auto address = in->neighbours().first_not_owned()) return address;
  }
  return std::nullopt;
}

Instant Stack::enter() {
  entry_.enter();
  lcore_scope_.emplace(index_);
  return read_clock();
}

void Stack::leave(Instant now) {
  finish_call(now);
  const NapiSet posted = take_posted();
  lcore_scope_.reset();
  entry_.leave();
  deliver(posted);
}

// Linux: sk_stream_wait_close(): a signal ends the wait, and what was sent goes on without it.
void Stack::wait_for_hang_up(File& file, Duration limit) {
  if (!poll_context_) return;
  const Instant deadline = clock_.now() + limit;
  static_cast<void>(wait_for(file, kHup, deadline, *poll_context_, {}));
}

// A poll that finds nothing is what a spinning wait mostly does, and half of one is what a packet
// waits for on average: it asks the layers nothing.
bool Stack::poll(unsigned budget, Instant now) {
  std::size_t received = 0;
  const std::size_t burst = std::min<std::size_t>(budget, burst_.size());
  for (auto& in : interfaces_) {
    const std::size_t n = in->device().rx_burst(std::span(burst_).first(burst));
    for (std::size_t i = 0; i < n; ++i) receive(*in, std::move(burst_[i]), now);
    received += n;
  }
  // Whose poster has not come round to delivering them yet.
  if (!inbox_.is_empty() && open_letters(now)) ++received;
  events_returned_.store(0, std::memory_order_relaxed);
  ++counters_.polls;
  if (!layers_timeout_) layers_timeout_ = layers_timeout();
  const Instant device_event = next_device_event();
  const bool timers_are_due = earlier(*layers_timeout_, device_event) <= now;
  if (received == 0 && !timers_are_due && !has_output() && !is_refusing_) {
    // The device may have taken in what it will show later only; who sleeps on it does not know.
    if (device_event < asleep_until_) note_changes();
    return false;
  }
  if (received != 0) tcp_.note_memory();
  if (timers_are_due) advance_timers(now);
  flush(now);
  note_changes();
  return received != 0 || timers_are_due || (has_output() && !is_refusing_);
}

void Stack::advance_timers(Instant now) {
  look_at_devices(now);
  tcp_.advance_timers(now, [&](tcp::Connection& connection) {
    if (connection.is_at_r1()) doubt_neighbour(connection.tuple().remote.address, now);
    after_event(connection, now);
  });
  reassembly_.advance(now);
  ipv4::Arrived first;
  while (reassembly_.next_expired(first)) {
    count_drop(Drop::fragment_timeout);
    refuse(first.info, first.packet,
           {.type = icmp::kTimeExceeded, .code = icmp::kReassemblyTimeExceeded}, now);
  }
  for (auto& out : interfaces_) out->neighbours().advance(now);
}

// RFC 9293 3.8.3 (MUST-20 a): the way may be a dead neighbour's.
void Stack::doubt_neighbour(const IpAddress& remote, Instant now) {
  const Result<Route> route = routes_.lookup(remote);
  if (!route || route->interface == kLoopbackInterface) return;
  interface(route->interface).neighbours().doubt(route->next_hop, now);
}

Instant Stack::next_device_event() const {
  Instant next = Instant::never();
  for (const auto& in : interfaces_) next = earlier(next, in->device().next_event());
  return next;
}

Instant Stack::layers_timeout() const {
  Instant next = earlier(tcp_.next_timeout(), reassembly_.next_timeout());
  for (const auto& out : interfaces_) next = earlier(next, out->neighbours().next_timeout());
  return next;
}

void Stack::finish_call(Instant now) {
  if (has_output() && !may_defer(now)) flush(now);
  note_changes();
}

// Only the thread whose wait returned several events, and only while nobody sleeps here: that one
// might be waiting for the answer to what is held back. A call that wrote nothing, or to a
// connection that waits already, does not count; what leaves is taken from what may still come, so
// 64 answers leave in 4 bursts, not 8 in the first and the other 56 one by one.
bool Stack::may_defer(Instant now) {
  const unsigned events = events_returned_.load(std::memory_order_relaxed);
  if (events < 2 || asleep_until_ > now) return false;
  if (deferring_thread_.load(std::memory_order_relaxed) != Entry::this_thread()) return false;
  const std::size_t waiting = tcp_.pended() + datagrams_out_.size();
  if (waiting != waiting_before_ && ++writes_deferred_ == 1) deferred_since_ = now;
  waiting_before_ = waiting;
  const bool is_patient = now - deferred_since_ < kMaxDeferral;
  if (is_patient && writes_deferred_ < std::min(events, kMaxDeferredWrites)) {
    left_by_this_thread() |= own_bit();
    return true;
  }
  events_returned_.store(events - std::min(events, writes_deferred_), std::memory_order_relaxed);
  return false;
}

NapiSet& Stack::left_by_this_thread() {
  static thread_local NapiSet left = 0;
  return left;
}

bool Stack::has_output() const {
  if (tcp_.has_output() || !datagrams_out_.empty() || !loopback_.empty()) return true;
  const auto has_messages = [](const auto& out) { return out->neighbours().has_output(); };
  return std::any_of(interfaces_.begin(), interfaces_.end(), has_messages);
}

std::uint16_t Stack::mtu_to(const IpAddress& destination, Instant now) const {
  const Result<Route> route = routes_.lookup(destination);
  return route ? path_mtu_.lookup(destination, route->mtu, now) : PathMtu::kFloor;
}

// Whoever sleeps on the devices must not sleep past a timer that was set meanwhile, nor leave
// refused packets behind. With nobody asleep the next poll asks the layers, once for all calls
// before it (100 instructions).
void Stack::note_changes() {
  layers_timeout_.reset();
  if (asleep_until_ == Instant() || armed_ == &Sleeper::of_this_thread()) return;
  if (next_timeout() < asleep_until_) armed_->wake();
}

void Stack::arm(Sleeper& sleeper, bool with_interrupts) {
  if (sleeper.is_woken()) return;
  armed_ = &sleeper;
  for (auto& in : interfaces_) {
    if (with_interrupts) {
      in->device().arm_rx_interrupt();
    } else {
      in->device().disarm_rx_interrupt();  // the one before may have left them to us
    }
  }
}

void Stack::disarm(Sleeper& sleeper) {
  if (armed_ != &sleeper) return;
  armed_ = nullptr;
  asleep_until_ = Instant();
  for (auto& in : interfaces_) in->device().disarm_rx_interrupt();
}

Instant Stack::announce_sleep(Sleeper& sleeper, Duration pause) {
  if (armed_ != &sleeper) return Instant();
  Instant until = earliest_timeout();
  const Duration longest = is_refusing_ ? pause : longest_sleep(pause);
  if (longest != kNoLimit) until = earlier(until, clock_.now() + longest);
  // Held back by a writer who may not come again soon.
  if (has_output() && !is_refusing_) until = Instant();
  asleep_until_ = until;
  return until;
}

// `pause` where a device has no interrupts; little where it only promises them.
Duration Stack::longest_sleep(Duration pause) const {
  Duration longest = kNoLimit;
  for (const auto& in : interfaces_) {
    const NetDevice& device = in->device();
    if (device.is_gone()) continue;
    if (device.rx_interrupt_fd() < 0) return pause;
    if (device.doubts_interrupt()) longest = kTrialSleep;
  }
  return longest;
}

void Stack::add_rx_interrupt_fds(std::vector<pollfd>& fds) const {
  for (const auto& in : interfaces_) {
    for (const int fd : {in->device().rx_interrupt_fd(), in->device().removal_fd()}) {
      if (fd >= 0) fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
  }
}

void Stack::reset_all(Instant now) {
  tcp_.abort_all(now);
  flush(now);
}

}  // namespace pollux
