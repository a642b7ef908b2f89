// load.h - Load: a closed loop of requests over N connections, timed one by one.
#pragma once

#include <netinet/in.h>

#include <csignal>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "apps/pollux/calls.h"
#include "apps/pollux/histogram.h"

namespace pollux::tool {

// Set by SIGINT and SIGTERM; every loop of this program ends soon after.
extern volatile std::sig_atomic_t g_stop;

std::uint64_t monotonic_ns();
std::uint64_t to_ns(double seconds);

struct LoadOptions {
  sockaddr_in server{};
  bool udp = false;
  unsigned connections = 1;
  unsigned depth = 1;  // requests in flight on each connection
  std::size_t size = 64;
  double warmup_s = 0.5;
  double duration_s = 5.0;
  double interval_s = 0;    // TCP: from an answer to the next request of its connection
  std::uint64_t count = 0;  // not 0: end after this many measured requests instead
  bool spin = false;
  bool progress = false;
};

struct LoadResult {
  Histogram latency;
  double seconds = 0;
  std::uint64_t lost = 0;     // datagrams that did not come back
  std::uint64_t corrupt = 0;  // answers that differ from what was sent
};

// One connection. A TCP request is `size` octets of one pattern, so what is unsent is only a
// number.
struct Flow {
  struct Request {
    std::uint64_t start = 0;
    std::uint64_t sequence = 0;  // UDP: names the request inside its datagram
    bool unsent = false;         // UDP: the socket had no space
  };
  int fd = -1;
  bool connected = false;
  bool wants_write = false;
  std::vector<Request> requests;  // `depth` of them, used as a ring by TCP
  std::uint64_t started = 0;
  std::uint64_t completed = 0;
  std::size_t unsent = 0;
  std::size_t tx_offset = 0;  // into the request being sent, and into the answer being read
  std::size_t rx_offset = 0;
};

// Life: construct, run() once. What is measured: from just before a request is handed to the socket
// to just after the read that returned the last octet of its answer.
class Load {
 public:
  Load(const SocketCalls& calls, const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // False: error() says why. A run that a signal ended early is a success with what was measured.
  bool run(LoadResult& result);
  const std::string& error() const { return error_; }

 private:
  bool open_flows();
  bool open_flow(std::size_t index);
  bool await_connections();
  bool finish_connect(Flow& flow);
  bool loop();
  int wait_ms() const;
  bool serve(const epoll_event* events, int count);
  void tick(std::uint64_t now);
  void show_progress(std::uint64_t now);
  bool finished(std::uint64_t now) const;
  void complete(std::uint64_t start, std::uint64_t now);
  void want_write(Flow& flow, bool wanted);
  bool fail(const char* what);

  // load_tcp.cc
  bool tcp_start_rested(std::uint64_t now);
  bool tcp_start(Flow& flow, std::size_t requests, std::uint64_t now);
  bool tcp_push(Flow& flow);
  bool tcp_readable(Flow& flow);
  bool tcp_check(Flow& flow, std::size_t length) const;
  // load_udp.cc
  bool udp_start_all(Flow& flow, std::uint64_t now);
  bool udp_send(Flow& flow, Flow::Request& request, std::uint64_t now);
  bool udp_send_unsent(Flow& flow);
  bool udp_readable(Flow& flow);
  bool udp_resend_lost(Flow& flow, std::uint64_t now);

  // Requests that wait for interval_s after the answers before them.
  struct Rest {
    std::uint64_t until;
    Flow* flow;
    std::size_t requests;
  };

  const SocketCalls& calls_;
  const LoadOptions options_;
  LoadResult* result_ = nullptr;
  std::string error_;
  int epoll_ = -1;
  std::vector<Flow> flows_;
  std::deque<Rest> resting_;   // in order: all rest equally long
  std::vector<char> pattern_;  // one request
  std::vector<char> buffer_;
  std::uint64_t measure_from_ = 0;
  std::uint64_t measure_until_ = 0;
  std::uint64_t next_tick_ = 0;
  std::uint64_t next_progress_ = 0;
  bool tick_failed_ = false;
};

}  // namespace pollux::tool
