// listener.h - Listener: a passive OPEN: handshakes in progress and connections to accept.
// RFC 9293 3.10.1, 3.10.7.2; Linux: tcp_conn_request(), inet_csk_accept(), tcp_check_req().
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <utility>

#include "stack/base/instant.h"
#include "stack/base/ip_address.h"
#include "stack/tcp/fast_open_server.h"
#include "stack/tcp/segment.h"
#include "stack/tcp/shared.h"
#include "stack/tcp/syn_cookies.h"
#include "stack/tcp/tcp_links.h"

namespace pollux::tcp {

struct PortUse;

// Owned by Tcp from open_passive to close. Its children are full Connections: half-open ones in
// SYN-RECEIVED on one list, those that a program may accept on the other, first in first out; among
// these are those of Fast Open, whose handshake goes on.
class Listener {
 public:
  Listener(const Endpoint& local, PortUse* port, const UserOptions& options, std::uint32_t backlog)
      : options_(options), local_(local), port_(port), backlog_(backlog) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // --- questions
  const Endpoint& local() const { return local_; }
  bool is_acceptable() const { return waiting_count_ != 0; }  // EPOLLIN
  std::uint32_t waiting() const { return waiting_count_; }    // TCP_INFO's tcpi_unacked
  std::uint32_t half_open() const { return half_open_count_; }
  std::uint32_t backlog() const { return backlog_; }  // TCP_INFO's tcpi_sacked
  // Linux's sk_acceptq_is_full(): one more than the backlog says fits.
  bool is_accept_queue_full() const { return waiting_count_ > backlog_; }
  bool is_half_open_full() const { return half_open_count_ >= half_open_limit(); }
  bool is_crowded() const { return half_open_count_ > half_open_limit() / 2; }
  PortUse* port() const { return port_; }

  // --- what the socket sets; inherited by connections that arrive later
  UserOptions& options() { return options_; }
  const UserOptions& options() const { return options_; }
  void set_backlog(std::uint32_t backlog) { backlog_ = backlog; }
  void set_defer_accept(Duration patience) { defer_accept_ = patience; }  // zero: off
  Duration defer_accept() const { return defer_accept_; }

  // --- SYN cookies. Linux: tcp_synq_no_recent_overflow().
  void note_cookie(Instant now) { cookies_until_ = now + kCookieLife; }
  bool expects_cookies(Instant now) const { return now < cookies_until_; }

  // --- Fast Open
  FastOpenOptions& fast_open() { return fast_open_; }
  const FastOpenOptions& fast_open() const { return fast_open_; }
  bool has_room_for_fast_open(Instant now) {
    return fast_open_queue_.has_room(fast_open_.max_requests, now);
  }
  std::uint32_t fast_open_requests() const { return fast_open_queue_.open(); }
  void note_reset(Instant now) { fast_open_queue_.note_reset(now); }

  // --- what core wakes the socket for: true once after one or more connections completed (17.11)
  bool take_readable() { return std::exchange(readable_, false); }

  // --- the lists; Tcp's business
  void add_half_open(TcpLinks& child);
  void complete(TcpLinks& child);       // half-open -> accept queue
  void add_fast_open(TcpLinks& child);  // into the accept queue at once
  void end_fast_open(TcpLinks& child);  // its handshake is over
  void accept(TcpLinks& child);         // out of the accept queue
  void remove(TcpLinks& child);         // from whichever list
  TcpLinks* first_half_open();
  TcpLinks* first_waiting();
  TcpLinks* first_opening();  // accepted, its handshake goes on
  // TCP_DEFER_ACCEPT: a bare ACK does not complete the handshake until the patience is over.
  bool defers(const TcpLinks& child, const Segment& seg, Instant now) const;

  void* user = nullptr;           // the socket; opaque here
  void* group = nullptr;          // whom it is a part of, with several queues; opaque here
  Listener* hash_next = nullptr;  // in the demultiplexer

 private:
  using List = boost::intrusive::list<TcpLinks, boost::intrusive::base_hook<WaitingHook>,
                                      boost::intrusive::constant_time_size<false>>;

  // Small backlogs too leave room for the handshakes of a burst; Linux answers those with SYN
  // cookies at once.
  std::uint32_t half_open_limit() const { return backlog_ < 64 ? 64 : backlog_; }

  UserOptions options_;
  Endpoint local_;
  PortUse* port_;
  std::uint32_t backlog_;
  std::uint32_t half_open_count_ = 0;
  std::uint32_t waiting_count_ = 0;
  Duration defer_accept_;
  Instant cookies_until_;
  bool readable_ = false;
  List half_open_;
  List waiting_;
  List opening_;
  FastOpenOptions fast_open_;
  FastOpenQueue fast_open_queue_;
};

}  // namespace pollux::tcp
