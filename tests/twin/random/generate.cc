// generate.cc - random programs: mostly sensible, now and then not; each seed leaves some calls
// out.
#include "tests/twin/random/generate.h"

#include <sys/socket.h>

#include <algorithm>
#include <initializer_list>
#include <span>

#include "stack/base/rng.h"
#include "tests/twin/random/rules.h"

namespace pollux::twin {
namespace {

constexpr uint32_t kFewestCalls = 10, kMostCalls = 70;
constexpr int kMostOpened = kMostNumbers - 8;  // by one program; its last call may open several

// What a slot was last given; the program may be wrong about it, and that is wanted now and then.
enum Kind : uint32_t {
  kNothing = 1,
  kTcp = 2,
  kListener = 4,
  kActive = 8,
  kPassive = 16,
  kUdp = 32,
  kSet = 64,
  kKernel = 128,
};
constexpr uint32_t kConnected = kActive | kPassive;
constexpr uint32_t kSockets = kTcp | kListener | kConnected | kUdp;
constexpr uint32_t kAnything = kSockets | kSet | kKernel;

// How often a call is drawn; by Call.
constexpr std::array<uint32_t, kCalls> kWeights = {
    4,   // socket
    3,   // bind
    2,   // listen
    5,   // connect
    6,   // accept
    14,  // send
    14,  // receive
    5,   // shutdown
    6,   // close
    2,   // dup
    2,   // dup2
    3,   // set_option
    4,   // get_option
    1,   // name
    2,   // ioctl
    3,   // epoll_create
    20,  // epoll_ctl
    24,  // epoll_wait
    6,   // poll
    3,   // select
    3,   // event_fd
    1,   // timer_fd
    2,   // pipe
    4,   // event_write
    1,   // fill
    2,   // drain
};
constexpr uint32_t kConnectionWeight = 3;  // of a whole connection: several calls at once

class Generator {
 public:
  explicit Generator(uint64_t seed) : rng_(seed) {
    kinds_.fill(kNothing);
    program_.free_order = one_in(2);
    // Swarm testing: what is absent makes room for more of the rest.
    weights_ = kWeights;
    for (uint32_t& weight : weights_) weight *= pick<uint32_t>({0, 1, 1, 1, 3});
    if (one_in(10)) {
      for (const Call call : {Call::send, Call::event_write, Call::ioctl, Call::shutdown}) {
        weight_of(call) = 0;
      }
    } else {
      weight_of(Call::fill) = 0;
    }
    for (const Call call : {Call::event_fd, Call::timer_fd, Call::pipe}) {
      if (!program_.free_order) weight_of(call) = 0;
    }
    if (!program_.free_order) weight_of(Call::shutdown) = 0;
    if (program_.free_order) weight_of(Call::dup) = weight_of(Call::dup2) = 0;
    urgent_ = one_in(4);
  }

  Program run() {
    const auto count = kFewestCalls + rng_.below(kMostCalls - kFewestCalls);
    if (!one_in(8)) add_set();
    if (!one_in(4)) add_connection();
    if (one_in(3)) add_udp();
    while (program_.ops.size() < count && opened_ < kMostOpened) add_any();
    return std::move(program_);
  }

 private:
  bool one_in(uint64_t n) { return rng_.below(n) == 0; }
  int32_t below(int32_t n) { return static_cast<int32_t>(rng_.below(static_cast<uint64_t>(n))); }
  template <typename T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[rng_.below(list.size())];
  }
  uint32_t& weight_of(Call call) { return weights_[static_cast<size_t>(call)]; }

  // A slot that was given one of `kinds`, if there is one; sometimes just any.
  int8_t slot(uint32_t kinds) {
    std::vector<int8_t> fitting;
    for (int8_t i = 0; i < kSlots; ++i) {
      if (kinds_[static_cast<size_t>(i)] & kinds) fitting.push_back(i);
    }
    if (fitting.empty() || one_in(25)) return static_cast<int8_t>(below(kSlots));
    return fitting[rng_.below(fitting.size())];
  }
  int8_t new_slot(Kind kind) {
    const int8_t made = slot(kNothing);
    kinds_[static_cast<size_t>(made)] = kind;
    ++opened_;
    return made;
  }
  Kind& kind(int8_t slot) { return kinds_[static_cast<size_t>(slot)]; }

  Op& add(Call call, int8_t slot) {
    program_.ops.push_back({.call = call, .slot = slot});
    return program_.ops.back();
  }

  void add_set() { add(Call::epoll_create, new_slot(kSet)); }

  void add_udp() {
    for (int i = 0; i < 2; ++i) {
      const int8_t made = new_slot(kUdp);
      add(Call::socket, made).a = 1;
      add_bind(made, static_cast<int32_t>(Address::loopback));
      maybe_watch(made);
    }
  }

  int8_t add_listener() {
    const int8_t made = new_slot(kListener);
    add(Call::socket, made);
    add_bind(made, static_cast<int32_t>(pick({Address::loopback, Address::wildcard})));
    add(Call::listen, made).a = kBacklog;
    maybe_watch(made);
    return made;
  }

  void add_connection() {
    int8_t listener = slot(kListener);
    if (kind(listener) != kListener) listener = add_listener();
    const int8_t active = new_slot(kActive);
    add(Call::socket, active);
    maybe_watch(active);
    add(Call::connect, active).other = listener;
    const int8_t passive = new_slot(kPassive);
    add(Call::accept, listener).other = passive;
    maybe_watch(passive);
  }

  void add_bind(int8_t slot, int32_t address) {
    Op& op = add(Call::bind, slot);
    op.a = address;
    op.other = slot;
  }

  // Sets are what this is about.
  void maybe_watch(int8_t target) {
    if (weight_of(Call::epoll_ctl) == 0 || !one_in(2)) return;
    Op& op = add(Call::epoll_ctl, slot(kSet));
    op.other = target;
    op.a = EPOLL_CTL_ADD;
    op.events = interest();
    op.data = program_.ops.size();
  }

  uint32_t interest() {
    uint32_t events = pick<uint32_t>(
        {EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
         EPOLLRDHUP, EPOLLPRI, EPOLLIN | EPOLLPRI, 0, EPOLLRDNORM, EPOLLWRNORM | EPOLLRDBAND,
         EPOLLWRBAND | EPOLLRDNORM, EPOLLERR, EPOLLHUP, EPOLLOUT | EPOLLRDHUP, 0x7fff});
    if (one_in(2)) events |= EPOLLET;
    if (one_in(6)) events |= EPOLLONESHOT;
    if (one_in(10)) events |= EPOLLEXCLUSIVE;
    if (one_in(40)) events |= EPOLLWAKEUP;
    if (one_in(40)) events |= 1u << rng_.below(32);
    return events;
  }

  void add_any() {
    uint32_t sum = kConnectionWeight;
    for (const uint32_t weight : weights_) sum += weight;
    auto drawn = static_cast<uint32_t>(rng_.below(sum));
    for (size_t call = 0; call < weights_.size(); ++call) {
      if (drawn < weights_[call]) return add_call(static_cast<Call>(call));
      drawn -= weights_[call];
    }
    add_connection();
  }

  void add_call(Call call) {
    switch (call) {
      case Call::socket:
        return add_socket();
      case Call::bind:
        return add_any_bind();
      case Call::listen:
        return add_listen();
      case Call::connect:
        return add_connect();
      case Call::accept:
        return add_accept();
      case Call::send:
        return add_send();
      case Call::receive:
        return add_receive();
      case Call::close:
        return add_close();
      case Call::dup:
      case Call::dup2:
        return add_dup(call);
      case Call::set_option:
        return add_set_option();
      case Call::epoll_create:
        return add_epoll_create();
      case Call::epoll_ctl:
        return add_ctl();
      case Call::epoll_wait:
        return add_wait();
      case Call::poll:
      case Call::select:
        return add_look(call);
      case Call::event_fd:
      case Call::timer_fd:
      case Call::pipe:
        return add_kernel_file(call);
      default:
        return add_simple(call);
    }
  }

  void add_socket() {
    const bool is_udp = one_in(3);
    add(Call::socket, new_slot(is_udp ? kUdp : kTcp)).a = is_udp;
  }

  void add_any_bind() {
    Op& op = add(Call::bind, slot(kTcp | kUdp));
    op.a = below(static_cast<int32_t>(Address::closed));
    op.other = slot(kSockets);
  }

  void add_listen() {
    Op& op = add(Call::listen, slot(kTcp | kListener));
    op.a = one_in(20) ? -1 : kBacklog;
    kind(op.slot) = kListener;
  }

  void add_connect() {
    const bool is_udp = one_in(4);
    Op& op = add(Call::connect, slot(is_udp ? kUdp : one_in(3) ? kActive : kTcp));
    op.other = slot(is_udp ? kUdp : kListener);
    op.a = one_in(4) ? below(static_cast<int32_t>(Address::none) + program_.free_order) : 0;
    if (kind(op.slot) == kTcp) kind(op.slot) = kActive;
  }

  void add_accept() {
    Op& op = add(Call::accept, slot(kListener));
    op.other = new_slot(kPassive);
  }

  void add_send() {
    const bool is_udp = one_in(4);
    Op& op = add(Call::send, slot(is_udp ? kUdp : kConnected | kKernel));
    op.a = one_in(10) ? below(kMostOctets) : below(8);
    op.data = rng_.below(26);
    if (urgent_ && one_in(2)) op.b = MSG_OOB;
    op.c = is_udp && !one_in(4) ? 2 : pick({0, 0, 1, 2, 3});
    if (kind(op.slot) == kKernel) op.c = 1;
    if (kind(op.slot) == kUdp && one_in(6)) op.b = MSG_MORE, op.c = 0;
    op.other = slot(is_udp ? kUdp : kSockets);
    op.d = one_in(5) ? below(static_cast<int32_t>(Address::none) + 1) : 0;
  }

  void add_receive() {
    Op& op = add(Call::receive, slot(one_in(4) ? kUdp : kConnected | kKernel));
    op.a = one_in(3) ? kMostOctets : below(8);
    if (one_in(3)) {
      op.b = pick<int32_t>({MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_OOB, MSG_ERRQUEUE,
                            MSG_DONTWAIT, MSG_PEEK | MSG_TRUNC, MSG_PEEK | MSG_OOB,
                            MSG_PEEK | MSG_WAITALL});
    }
    op.c = pick({0, 0, 1, 2, 3});
    if (kind(op.slot) == kKernel) op.c = 1;
  }

  void add_close() {
    const Op& op = add(Call::close, slot(kAnything));
    kind(op.slot) = kNothing;
  }

  void add_dup(Call call) {
    Op& op = add(call, slot(kAnything));
    op.other = call == Call::dup ? new_slot(kind(op.slot)) : slot(kAnything);
    kind(op.other) = kind(op.slot);
  }

  void add_set_option() {
    Op& op = add(Call::set_option, slot(kSockets & ~kListener));
    op.a = below(static_cast<int32_t>(kOptions.size()));
    op.b = pick({0, 1, 1, 2, 5, 100});
  }

  void add_epoll_create() {
    Op& op = add(Call::epoll_create, new_slot(kSet));
    op.c = one_in(4);
    op.a = one_in(8) ? pick({-1, 0, 1, 2048, 524288}) : op.c;
  }

  void add_ctl() {
    Op& op = add(Call::epoll_ctl, slot(kSet));
    op.other = slot(one_in(6) ? kSet : kSockets | kKernel);
    op.a = pick({EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL});
    if (one_in(40)) op.a = pick({0, 4, -1});
    op.b = one_in(60);
    op.events = interest();
    op.data = program_.ops.size();
  }

  void add_wait() {
    Op& op = add(Call::epoll_wait, slot(kSet));
    op.a = one_in(40)                         ? pick({0, -1})
           : program_.free_order || one_in(2) ? kAllEvents
                                              : 1 + below(3);
    op.b = one_in(60);
    op.c = one_in(4) ? below(3) : 0;
  }

  void add_look(Call call) {
    Op& op = add(call, 0);
    op.watch_count = static_cast<uint32_t>(below(kMostWatches + 1));
    for (Watch& watch : std::span(op.watches).first(op.watch_count)) {
      watch.slot = slot(kAnything);
      watch.events = one_in(2) ? 0x7fff : interest() & 0xffff;
    }
    op.c = one_in(4);
  }

  void add_kernel_file(Call call) {
    Op& op = add(call, new_slot(kKernel));
    if (call == Call::pipe) op.other = new_slot(kKernel);
    if (call != Call::pipe) op.a = below(2);
  }

  // Calls whose `a` is one of a few, on a descriptor they mostly suit.
  void add_simple(Call call) {
    const bool is_option = call == Call::get_option;
    Op& op = add(call, slot(call == Call::event_write ? kKernel
                            : call == Call::shutdown  ? kConnected | kListener | kUdp
                            : is_option               ? kSockets
                                                      : kConnected | kUdp));
    op.a = below(call == Call::shutdown ? 3
                 : is_option            ? static_cast<int32_t>(kOptions.size())
                                        : 2);
    if (is_option && one_in(2)) op.a = 0;
    if (call == Call::shutdown && one_in(30)) op.a = 3;
  }

  Rng rng_;
  Program program_;
  std::array<Kind, kSlots> kinds_{};
  std::array<uint32_t, kCalls> weights_{};
  bool urgent_ = false;
  int opened_ = 0;
};

}  // namespace

Program generate(uint64_t seed) { return Generator(seed).run(); }

}  // namespace pollux::twin
