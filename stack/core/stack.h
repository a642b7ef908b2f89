// stack.h - Stack: one queue, one world; entered, never shared (D1).
// The way up is ingress.cc, the way down egress.cc; a page each.
#pragma once

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "drivers/dpdk/eal.h"
#include "stack/base/clock.h"
#include "stack/base/entry.h"
#include "stack/core/config.h"
#include "stack/core/inbox.h"
#include "stack/core/interface.h"
#include "stack/ip/icmp.h"
#include "stack/ip/icmp_rate_limit.h"
#include "stack/ip/ip_ids.h"
#include "stack/ip/ipv4.h"
#include "stack/ip/path_mtu.h"
#include "stack/ip/reassembly.h"
#include "stack/socket/error_note.h"
#include "stack/socket/socket.h"
#include "stack/tcp/tcp.h"
#include "stack/udp/udp_table.h"

namespace pollux {

// Owned by the Host, or by a simulated one. Everything in it is destroyed in reverse order of its
// members. All but the constructor and what says so is called with entry() entered.
class Peers;

class Stack final : public WorldGate {
 public:
  static constexpr unsigned kDatagramStack = 0;  // where the sockets of UDP and ping live
  struct Parts {
    PacketPool& pool;
    tcp::Ports& ports;
    Clock& clock;
    unsigned index = 0;      // bit of NapiSet; lcore id of those inside
    Peers* peers = nullptr;  // null: there are no others
  };
  Stack(const Config& config, const Parts& parts, std::uint64_t seed, const tcp::Secret& secret);
  ~Stack() override;

  // Start-up, in the order of the configuration. Interface 0 is the loopback interface. `rss`:
  // which queue of the device's a packet comes to; this Stack has the one of its index.
  void add_interface(NetDevice& device, const PortConfig& config, const RssMap& rss = {});
  std::optional<IpAddress> first_not_owned() const;  // still probed, or another host's
  // What SO_LINGER waits with; none: it does not wait.
  void set_poll_context(PollContext& context) { poll_context_ = &context; }

  // --- Napi. One burst of at most `budget` packets per device, timers, flush. True: there was
  // something.
  bool poll(unsigned budget, Instant now);
  // Once per entry. Never before what it said last: the counter may be read a little before the
  // lock is taken, on a processor whose counter lags.
  Instant read_clock() { return now_ = std::max(now_, clock_.now()); }

  // --- the edge. Everything but what says otherwise happens between these two: enter() reads the
  // clock; leave() flushes what was queued, or leaves that to a later call by the rule of design 5
  // (at once, unless the last wait returned several events).
  Instant enter() override;
  void leave(Instant now) override;
  void wait_for_hang_up(File& file, Duration limit) override;
  // A wait of the calling thread has returned `events` events: its writes may leave together.
  // Without entering.
  void note_wait_returned(unsigned events) {
    deferring_thread_.store(Entry::this_thread(), std::memory_order_relaxed);
    events_returned_.store(events, std::memory_order_relaxed);
  }
  // Where the calling thread has left writes for its next wait, a bit for each Stack: that wait may
  // be for files of others.
  static NapiSet& left_by_this_thread();

  // --- sleeping. One sleeper at a time has the receive interrupts; a later arm() takes them over,
  // and what who had them before does then changes nothing: it has been woken before, perhaps while
  // it was on its way into arm(). Without interrupts it only hears of timers and refusals.
  void arm(Sleeper& sleeper, bool with_interrupts = true);
  void disarm(Sleeper& sleeper);
  // The sleeper, if armed, sleeps from now on; returns when it is to poll without an interrupt (the
  // past: at once). Whoever sets an earlier timer or is refused by a device wakes it. `pause`:
  // between two polls of devices without interrupts.
  Instant announce_sleep(Sleeper& sleeper, Duration pause);
  // Also what tells of a device's removal.
  void add_rx_interrupt_fds(std::vector<pollfd>& fds) const;
  // When it next wants a poll without a packet arriving. The past: at once.
  Instant next_timeout() const { return is_refusing_ ? Instant() : earliest_timeout(); }

  // Listening sockets that are heard in every Stack (shared_listeners.cc).
  NapiSet peers() const override;
  void share(TcpSocket& socket, tcp::Listener& listener) override;
  void unshare(tcp::Listener& listener) override;
  // EAGAIN: nothing here.
  Result<Socket*> accept_from_part(const AcceptTicket& ticket, Instant now);

  // --- several queues (peers.h). With nothing entered: opens every letter; to whom it has posted.
  NapiSet collect();
  Inbox& inbox() { return inbox_; }
  // What was posted inside; the caller delivers it when it is out.
  NapiSet take_posted() { return std::exchange(posted_, 0); }
  void deliver(NapiSet posted);

  Entry& entry() { return entry_; }
  unsigned index() const { return index_; }
  World& world() { return world_; }
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  std::uint32_t connections() const { return tcp_.connections(); }
  std::uint64_t drops(Drop reason) const { return drops_[static_cast<std::size_t>(reason)]; }
  // A closed connection still has something to deliver.
  bool is_delivering() { return tcp_.is_delivering(); }
  // Resets every connection and sends the resets: the program ends.
  void reset_all(Instant now);

 private:
  // ingress.cc, top down
  void receive(Interface& in, Packet packet, Instant now);
  void receive_arp(Interface& in, const Packet& packet, Instant now);
  void receive_ip(Packet packet, const ipv4::AcceptContext& context, Instant now);
  void receive_datagram(ipv4::Arrived&& arrived, Instant now);
  void receive_tcp(const IpInfo& ip, Packet packet, Instant now);
  void receive_segment(tcp::Arrival&& arrival, NapiSet visited, Instant now);
  void confirm_neighbour(const IpAddress& remote, Instant now);
  void receive_udp(const IpInfo& ip, Packet packet, Instant now);
  void receive_udp_datagram(udp::Datagram&& datagram, Instant now);
  void receive_icmp(const IpInfo& ip, Packet packet, Instant now);
  void receive_echo_reply(udp::Datagram&& reply, Instant now);
  void receive_icmp_error(const icmp::Error& error, NapiSet visited, Instant now);
  bool receive_loopback(Instant now);
  void after_event(tcp::Connection& connection, Instant now);
  void lower_path_mtu(const IpAddress& destination, std::uint16_t mtu, Instant now);
  void answer(const IpInfo& ip, Packet packet, Instant now);
  void refuse(const IpInfo& ip, const Packet& packet, const icmp::ErrorToSend& what, Instant now);
  void count_drop(Drop reason) { ++drops_[static_cast<std::size_t>(reason)]; }

  // steering.cc
  NapiSet own_bit() const { return NapiSet{1} << index_; }
  // The sockets of UDP and ping live in one Stack.
  bool has_datagrams() const { return !peers_ || index_ == kDatagramStack; }
  bool comes_home(const FourTuple& tuple) const;
  void post(unsigned to, Letter&& letter);
  void steer(unsigned to, Letter&& letter);
  bool pass_on(tcp::Arrival& arrival, NapiSet visited, Instant now);
  bool pass_on(const icmp::Error& error, NapiSet visited);
  void pass_on_datagram(Letter&& letter);
  void share_arp(InterfaceId interface, const ArpMessage& message);
  bool open_letters(Instant now);  // true: there were some
  void open(Letter&& letter, Instant now);

  // shared_listeners.cc
  struct Part {
    ListenGroupRef group;
    tcp::Listener* listener;
    std::uint32_t told = 0;  // how many connections to accept the group knows of
  };
  void open_part(ListenPart&& made);
  void close_part(const ListenGroup& group, Instant now);
  Part* find_part(const ListenGroup& group);
  void tell_waiting(Part& part);
  void tell_acceptable(const tcp::Listener& listener);

  // egress.cc, top down
  void flush(Instant now);
  void send_tcp(Instant now);
  bool send_connection(tcp::Connection& connection, Instant now);
  void send_replies(Instant now);
  void send_datagrams(Instant now);
  void send_fragments(const Route& route, DatagramOut datagram, Instant now);
  void send_ip(const Route& route, const IpSend& ip, tcp::Encoded&& encoded, Instant now);
  void send_on_loopback(Packet packet);
  void send_on_link(const Route& route, Packet packet, Instant now);
  void put_frame(Interface& out, const MacAddress& to, Packet packet, Instant now);
  void send_neighbour_messages(Interface& out, Instant now);
  void send_arp(Interface& out, const ArpMessage& message, Instant now);
  void give_up(const Packet& packet, Instant now);
  bool has_room(const Route& route, Instant now);
  tcp::TxContext tx_context(const Route& route);
  std::uint16_t gso_limit(const Route& route);
  void transmit(Instant now);

  // device_loss.cc
  void look_at_devices(Instant now);
  void lose(Interface& gone, Instant now);
  bool has_device() const;
  bool depends_on(const Interface& gone, const FourTuple& tuple) const;
  bool is_served_by(const Interface& gone, const IpAddress& local) const;

  // stack.cc
  bool has_output() const;
  bool may_defer(Instant now);
  void finish_call(Instant now);
  void advance_timers(Instant now);
  void doubt_neighbour(const IpAddress& remote, Instant now);
  Instant layers_timeout() const;
  Instant earliest_timeout() const { return earlier(layers_timeout(), next_device_event()); }
  Instant next_device_event() const;
  Duration longest_sleep(Duration pause) const;
  void note_changes();
  std::uint16_t mtu_to(const IpAddress& destination, Instant now) const;
  Interface& interface(InterfaceId id) { return *interfaces_[id - 1u]; }

  Entry entry_;
  const unsigned index_;
  Peers* const peers_;
  Inbox inbox_;
  std::vector<Part> parts_;
  NapiSet posted_ = 0;  // whose inboxes have something from the thread that is inside
  Clock& clock_;
  Instant now_;
  PollContext* poll_context_ = nullptr;
  Rng rng_;
  PacketPool& pool_;
  Counters counters_;
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::count)> drops_{};
  Routes routes_;
  PathMtu path_mtu_;
  IpIds ip_ids_;
  Reassembly reassembly_;
  IcmpRateLimit icmp_rate_limit_;
  const Neighbours::Limits neighbour_limits_;
  tcp::Tcp tcp_;
  UdpTable udp_;
  UdpTable ping_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::array<Packet, 64> burst_;
  Ring<Packet> loopback_;  // IP packets that turn around here
  Ring<DatagramOut> datagrams_out_;
  StreamErrors stream_errors_;
  World world_;

  // Deferred flushing (design 5): what the last wait returned, and what was written since.
  std::atomic<const void*> deferring_thread_{nullptr};
  std::atomic<unsigned> events_returned_{0};
  unsigned writes_deferred_ = 0;
  std::size_t waiting_before_ = 0;
  Instant deferred_since_;

  std::optional<LcoreScope> lcore_scope_;  // of the thread inside, between enter and leave
  bool is_refusing_ = false;               // a device has refused packets
  Sleeper* armed_ = nullptr;
  Instant asleep_until_;                   // of armed_; the past: it is awake
  std::optional<Instant> layers_timeout_;  // as of the last poll; none: something happened since
};

}  // namespace pollux
