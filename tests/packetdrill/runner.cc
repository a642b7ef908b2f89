// runner.cc - time, packets and calls, in the order of the lines.
#include "tests/packetdrill/runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "tests/packetdrill/compare.h"
#include "tests/packetdrill/values.h"

namespace pollux::packetdrill {
namespace {

constexpr std::uint16_t kFirstPeerPort = 40000;
constexpr std::size_t kLongestPacket = 65535;

std::string seconds(std::int64_t usecs) {
  return fmt::format("{}{}.{:06}", usecs < 0 ? "-" : "", std::abs(usecs) / 1'000'000,
                     std::abs(usecs) % 1'000'000);
}

// Of /proc: S, it sleeps.
bool is_asleep(pid_t tid) {
  std::ifstream stat(fmt::format("/proc/self/task/{}/stat", tid));
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && name_end + 2 < text.size() && text[name_end + 2] == 'S';
}

}  // namespace

// After a failure calls may be asleep that nothing will end.
Runner::~Runner() {
  for (Running& running : running_) {
    if (running.thread.joinable()) running.thread.detach();
  }
}

bool Runner::can_run(const Script& script) const {
  return std::all_of(script.events.begin(), script.events.end(), [&](const Event& event) {
    const auto* call = std::get_if<CallEvent>(&event.what);
    return !call || calls_.has(*call);
  });
}

void Runner::run(const Script& script) {
  tolerance_ = script.tolerance;
  start_ = now();
  for (const Event& event : script.events) {
    try {
      run_event(event);
    } catch (const Failure& failure) {
      throw Failure{failure.line ? failure.line : event.line, failure.message};
    }
  }
  try {
    finish_all();
    expect_silence();
  } catch (const Failure& failure) {
    throw Failure{failure.line ? failure.line : script.events.back().line, failure.message};
  }
}

void Runner::run_event(const Event& event) {
  finish_done();
  const auto* packet = std::get_if<PacketEvent>(&event.what);
  if (packet && !packet->is_inbound) return expect(event, *packet);
  const std::int64_t at = due(event.when);
  wait_until(at);
  finish_done();
  expect_silence();
  if (packet) {
    arrive(event, *packet);
  } else if (const auto* made = std::get_if<CallEvent>(&event.what)) {
    call(event, *made);
  } else if (const auto* info = std::get_if<InfoEvent>(&event.what)) {
    calls_.check_info(*info);
  }
  last_ = at;
}

std::int64_t Runner::now() {
  timeval time{};
  table_.gettimeofday(table_.userdata, &time, nullptr);
  return time.tv_sec * 1'000'000 + time.tv_usec - start_;
}

std::int64_t Runner::due(const When& when) const {
  return when.kind == When::Kind::absolute ? when.usecs : last_ + when.usecs;
}

void Runner::wait_until(std::int64_t usecs) {
  constexpr std::int64_t kLongest = 1'000'000'000;
  for (std::int64_t left = usecs - now(); left > 0; left = usecs - now()) {
    table_.usleep(table_.userdata, static_cast<useconds_t>(std::min(left, kLongest)));
    settle();
  }
}

void Runner::check_time(const When& when, std::int64_t at) const {
  if (when.kind == When::Kind::any) return;
  const std::int64_t from = due(when);
  const std::int64_t until = when.until_usecs ? from - when.usecs + *when.until_usecs : from;
  if (at >= from - tolerance_ && at <= until + tolerance_) return;
  fail(fmt::format("it came at {}, {} after the line before", seconds(at), seconds(at - last_)));
}

void Runner::expect_silence() {
  if (!extras_ || extras_->pending(table_.userdata) == 0) return;
  std::int64_t at = 0;
  const SeenPacket seen = receive(at);
  const auto* tcp = std::get_if<TcpPacket>(&seen.content);
  std::string text = describe(seen);
  for (const auto& [number, known] : connections_) {
    if (tcp && known.tuple == seen.ends) text = describe(to_script(*tcp, known.bases));
  }
  fail(fmt::format("before this line, at {}, the stack sent what no line expects:\n    > {}",
                   seconds(at), text));
}

SeenPacket Runner::receive(std::int64_t& at) {
  Octets packet(kLongestPacket);
  std::size_t length = packet.size();
  long long time = 0;
  table_.netdev_receive(table_.userdata, packet.data(), &length, &time);
  settle();
  if (length == 0) fail("the stack sends nothing more");
  at = time - start_;
  return take_apart(ConstBytes(packet).first(length));
}

// A peer that has not been connected to comes from a port of its own.
Runner::Connection& Runner::connection(unsigned number) {
  const auto [found, is_new] = connections_.try_emplace(number);
  if (is_new) {
    const auto port = static_cast<std::uint16_t>(kFirstPeerPort + number);
    found->second.tuple = {{kLocal, kServerPort}, {kPeer, port}};
    found->second.has_local_port = true;
  }
  return found->second;
}

void Runner::arrive(const Event&, const PacketEvent& packet) {
  Connection& to = connection(packet.marks.connection);
  if (const auto* tcp = std::get_if<TcpPacket>(&packet.content)) {
    if ((tcp->control & kUrg) != 0) calls_.expect_urgent_text();
    if ((tcp->control & kSyn) != 0) {
      if (!to.has_peer_syn) to.peer_syn = tcp->seq;
      to.has_peer_syn = true;
      if ((tcp->control & kAck) == 0) to.learns_seq = true;
    }
  }
  to.bases.cookie = cookie_;
  const Octets octets = build_packet(packet, to.tuple, to.bases, to.peer_syn);
  table_.netdev_send(table_.userdata, octets.data(), octets.size());
  settle();
}

void Runner::learn(Connection& connection, const TcpPacket& expected, const SeenPacket& seen) {
  const auto& tcp = std::get<TcpPacket>(seen.content);
  const bool is_syn = (tcp.control & kSyn) != 0;
  if (is_syn && connection.learns_seq) {
    if (!connection.has_local_port) connection.tuple.local.port = seen.ends.local.port;
    connection.has_local_port = true;
    connection.bases.seq = tcp.seq - expected.seq;
    if (tcp.ack) connection.peer_syn = *tcp.ack - 1;
    connection.learns_seq = false;
    connection.learns_timestamp = true;
  }
  for (std::size_t i = 0; i < std::min(expected.options.size(), tcp.options.size()); ++i) {
    const TcpOption &wanted = expected.options[i], &got = tcp.options[i];
    if (wanted.kind == TcpOption::Kind::fast_open && got.kind == wanted.kind && !wanted.value) {
      cookie_ = got.octets;
    }
    const bool are_times = wanted.kind == TcpOption::Kind::timestamps && got.kind == wanted.kind;
    if (!are_times || !wanted.value || !connection.learns_timestamp) continue;
    connection.bases.timestamp = *got.value - *wanted.value;
    connection.learns_timestamp = false;
  }
  connection.bases.cookie = cookie_;
}

void Runner::compare(const PacketEvent& event, Connection& connection, const SeenPacket& seen) {
  if (event.content.index() != seen.content.index())
    fail("the stack sent\n    > " + describe(seen));
  const auto* expected = std::get_if<TcpPacket>(&event.content);
  std::string text = describe(seen), what;
  if (connection.has_local_port && connection.tuple != seen.ends && expected) {
    what = "another connection's";
  } else if (expected) {
    learn(connection, *expected, seen);
    const TcpPacket tcp = to_script(std::get<TcpPacket>(seen.content), connection.bases);
    what = difference(*expected, tcp);
    text = describe(tcp);
    if (what.empty() && !is_stream(tcp, seen.text)) what = "octets of the text";
  } else if (const auto* udp = std::get_if<UdpPacket>(&event.content)) {
    if (udp->length != std::get<UdpPacket>(seen.content).length) what = "length";
    connection.tuple = seen.ends;
  }
  const PacketMarks& marks = event.marks;
  if (what.empty() && marks.tos.value_or(seen.tos) != seen.tos) what = "tos";
  if (what.empty() && marks.ttl.value_or(seen.ttl) != seen.ttl) what = "ttl";
  if (what.empty()) return;
  fail(fmt::format("{}: the stack sent\n    > {} [{} to {} tos 0x{:x} ttl {}]", what, text,
                   seen.ends.local.to_string(), seen.ends.remote.to_string(), seen.tos, seen.ttl));
}

void Runner::expect(const Event& event, const PacketEvent& packet) {
  std::int64_t at = 0;
  const SeenPacket seen = receive(at);
  compare(packet, connection(packet.marks.connection), seen);
  check_time(event.when, at);
  const bool is_exact = event.when.kind != When::Kind::any && !event.when.until_usecs;
  last_ = is_exact ? due(event.when) : at;
}

// The packets of a new connection are the next that has no number; of one that is tried again, the
// same. Also sendto with MSG_FASTOPEN opens.
void Runner::note_connect(const CallEvent& call) {
  const bool is_connect = call.name == "connect" && call.arguments.size() > 1;
  const bool is_sendto = call.name == "sendto" && call.arguments.size() > 4 &&
                         (call.arguments[3].number & MSG_FASTOPEN) != 0;
  if (!is_connect && !is_sendto) return;
  const Value& to = call.arguments[is_connect ? 1 : 4];
  const auto [found, is_new] = connecting_.try_emplace(call.arguments[0].number, 0);
  if (is_new) found->second = connections_.empty() ? 1 : connections_.rbegin()->first + 1;
  Connection& made = connection(found->second);
  made.tuple.remote = Calls::address_of(to, {kPeer, kServerPort});
  if (is_new || call.error == "EINPROGRESS" || made.bases.seq == 0) {
    made.learns_seq = true;
    made.has_local_port = made.has_peer_syn = false;
  }
}

void Runner::call(const Event& event, const CallEvent& call) {
  note_connect(call);
  Running& running = running_.emplace_back();
  running.event = &event;
  running.due_end = due(event.when) + event.when.until_usecs.value_or(0) - event.when.usecs;
  running.thread = std::thread([this, &running, &call] {
    running.tid = gettid();
    try {
      calls_.make(call);
    } catch (const Failure& failure) {
      running.failure = failure;
    }
    running.ended_at = now();
    running.is_done = true;
  });
  settle();
  if (event.when.blocks) return;
  if (!running.is_done) fail("the call blocks");
  finish(running);
}

bool Runner::is_settled() const {
  const auto is_busy = [](const Running& running) { return !running.is_done; };
  if (extras_) {
    const auto busy = std::count_if(running_.begin(), running_.end(), is_busy);
    return busy == 0 || extras_->asleep(table_.userdata) == busy;
  }
  return std::all_of(running_.begin(), running_.end(), [](const Running& running) {
    return running.is_done || (running.tid != 0 && is_asleep(running.tid));
  });
}

void Runner::settle() {
  while (!is_settled()) std::this_thread::yield();
}

void Runner::finish(Running& running) {
  running.thread.join();
  const Event& event = *running.event;
  const std::optional<Failure> failure = running.failure;
  const std::int64_t ended_at = running.ended_at, due_end = running.due_end;
  running_.remove_if([&](const Running& one) { return &one == &running; });
  if (failure) throw Failure{event.line, failure->message};
  if (!event.when.blocks || std::abs(ended_at - due_end) <= tolerance_) return;
  throw Failure{event.line, fmt::format("the call returned at {}", seconds(ended_at))};
}

void Runner::finish_done() {
  for (;;) {
    const auto done = std::find_if(running_.begin(), running_.end(),
                                   [](const Running& one) { return one.is_done.load(); });
    if (done == running_.end()) return;
    finish(*done);
  }
}

void Runner::finish_all() {
  finish_done();
  while (!running_.empty()) {
    const Running& first = running_.front();
    wait_until(first.due_end + tolerance_);
    if (!first.is_done) throw Failure{first.event->line, "the call has not returned"};
    finish_done();
  }
}

}  // namespace pollux::packetdrill
