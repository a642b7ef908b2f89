// bench.cc - the ways into every situation, and the comparison of what happens with the model.
#include "tests/systematic/bench.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "stack/wire/headers.h"

namespace pollux::systematic {
namespace {

using testing_support::TcpHost;
using testing_support::test_pool;

constexpr std::uint32_t kIrs = 0xffffff80;  // the window goes round the circle
constexpr std::uint32_t kFirstTimestamp = 0x7fffff00;
constexpr std::uint16_t kSynWindow = 20000, kWindow = 5000;
constexpr std::uint8_t kTheirScale = 2;
constexpr std::uint32_t kInFlight = 1000, kMostText = 60000;
constexpr InterfaceId kWire = 1;

Packet packet_from(const Octets& octets) {
  const std::size_t room = test_pool().data_room();
  Packet whole;
  for (std::size_t at = 0; at == 0 || at < octets.size(); at += room) {
    const std::size_t size = std::min(room, octets.size() - at);
    Packet piece = test_pool().allocate();
    CHECK(piece);
    std::byte* to = piece.put(static_cast<std::uint16_t>(size));
    if (size != 0) std::memcpy(to, octets.data() + at, size);
    if (whole) {
      PacketPool::chain(whole, std::move(piece));
    } else {
      whole = std::move(piece);
    }
  }
  return whole;
}

std::string describe(const Heard& said) {
  constexpr std::string_view kNames = "FSRPAUEC";
  std::string text;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((said.flags >> i & 1) != 0) text += kNames[i];
  }
  return text + " seq " + std::to_string(said.seq) + " ack " + std::to_string(said.ack) + " len " +
         std::to_string(said.text_length()) + "; ";
}

const char* name_of(Answer answer) {
  constexpr std::array kNames = {"nothing", "may_ack", "ack", "syn_ack", "reset", "reset_ack"};
  return kNames[static_cast<std::size_t>(answer)];
}

std::uint8_t flags_of(Answer answer) {
  switch (answer) {
    case Answer::syn_ack:
      return kSyn | kAck;
    case Answer::reset:
      return kRst;
    case Answer::reset_ack:
      return kRst | kAck;
    default:
      return kAck;
  }
}

}  // namespace

const char* name_of(Situation situation) {
  constexpr std::array kNames = {"CLOSED",           "LISTEN",
                                 "SYN-SENT",         "SYN-RECEIVED",
                                 "SYN-RECEIVED act", "ESTABLISHED",
                                 "ESTABLISHED hole", "ESTABLISHED full",
                                 "FIN-WAIT-1",       "FIN-WAIT-1 closed",
                                 "FIN-WAIT-2",       "FIN-WAIT-2 closed",
                                 "CLOSE-WAIT",       "CLOSING",
                                 "LAST-ACK",         "TIME-WAIT"};
  static_assert(kNames.size() == static_cast<std::size_t>(Situation::count));
  return kNames[static_cast<std::size_t>(situation)];
}

Bench::Bench(Offer offer)
    : offer_(offer),
      host_(std::make_unique<TcpHost>(IpAddress::v4(kUs), config_)),
      reassembly_({}, rng_) {
  routes_.add_interface(kLoopbackInterface, 65535);
  routes_.add_interface(kWire, testing_support::kTestMtu);
  routes_.add_address(kWire, {IpAddress::v4(kUs), 24});
}

Bench::~Bench() = default;

FourTuple Bench::tuple() const {
  return {{IpAddress::v4(kUs), model_.our_port}, {IpAddress::v4(kThem), model_.their_port}};
}

State Bench::state() const {
  if (const tcp::Connection* found = connection()) return found->status();
  if (host_->tcp.find_time_wait(tuple())) return State::TIME_WAIT;
  return host_->tcp.find_listener(tuple()) ? State::LISTEN : State::CLOSED;
}

// --- the peer

Octets Bench::timestamps(std::uint32_t value) const {
  const auto octet = [value](int shift) { return static_cast<std::uint8_t>(value >> shift); };
  return {1, 1, 8, 10, octet(24), octet(16), octet(8), octet(0), 0, 0, 0, 0};
}

Fields Bench::segment(std::uint8_t flags) const {
  Fields fields;
  fields.source_port = model_.their_port;
  fields.destination_port = model_.our_port;
  fields.flags = flags;
  fields.window = kWindow;
  const bool is_syn = (flags & kSyn) != 0;
  fields.seq = is_syn ? kIrs : model_.rcv_nxt;
  fields.ack = is_syn ? model_.nxt : model_.una;
  if (is_syn) {
    fields.window = kSynWindow;
    fields.options = {2, 4, 5, 0xb4};
    if (offer_ == Offer::mss) return fields;
    const Octets more = timestamps(kFirstTimestamp);
    fields.options.insert(fields.options.end(), more.begin(), more.end());
    for (const int octet : {1, 1, 4, 2, 1, 3, 3, int{kTheirScale}}) {
      fields.options.push_back(static_cast<std::uint8_t>(octet));
    }
  } else if (model_.has_timestamps) {
    fields.options = timestamps(model_.ts_recent + 1);
  }
  return fields;
}

Fields Bench::valid() const {
  switch (model_.state) {
    case State::CLOSED:
    case State::LISTEN:
      return segment(kSyn);
    case State::SYN_SENT:
      return segment(kSyn | kAck);
    default:
      break;
  }
  Fields fields = segment(kPsh | kAck);
  if (model_.state == State::SYN_RECEIVED) fields.ack = model_.nxt;
  fields.text_length = 100;
  return fields;
}

void Bench::hear(const Fields& fields) {
  EXPECT_EQ(arrives(build(fields)), "");
  pass(Duration::ms(10));
}

void Bench::peer_finishes() { hear(segment(kFin | kAck)); }

// --- the program

void Bench::open_passive() {
  port_ = host_->bind(model_.our_port);
  tcp::UserOptions options;
  options.oob_inline = true;
  options.receive_buffer = offer_ == Offer::mss ? 16384 : 140000;
  const auto opened =
      host_->tcp.open_passive({IpAddress::v4(kUs), model_.our_port}, *port_, options, 8);
  ASSERT_TRUE(opened.ok());
  listener_ = *opened;
  model_.is_listening = true;
  model_.state = State::LISTEN;
}

void Bench::open_active() {
  tcp::ActiveOpen open;
  open.tuple = {{IpAddress::v4(kUs), 0}, {IpAddress::v4(kThem), model_.their_port}};
  open.mtu = testing_support::kTestMtu;
  open.options.oob_inline = true;
  open.options.receive_buffer = offer_ == Offer::mss ? 16384 : 140000;
  const auto opened = host_->tcp.open_active(open, now_);
  ASSERT_TRUE(opened.ok());
  held_ = *opened;
  model_.our_port = held_->tuple().local.port;
  model_.state = State::SYN_SENT;
  std::string wrong;
  EXPECT_EQ(flush(wrong).size(), 1u);
  EXPECT_EQ(wrong, "");
  pass(Duration::ms(10));
}

std::vector<Heard> Bench::writes(std::uint32_t octets) {
  const std::string text(octets, 'x');
  EXPECT_TRUE(held_->send(testing_support::bytes_of(text), {}, now_).ok());
  std::string wrong;
  std::vector<Heard> said = flush(wrong);
  EXPECT_EQ(wrong, "");
  return said;
}

void Bench::program_sends(std::uint32_t octets) {
  EXPECT_EQ(writes(octets).size(), 1u);
  model_.nxt += octets;
  pass(Duration::ms(10));
}

void Bench::program_shuts(bool lets_go) {
  if (lets_go) {
    held_->close(now_);
    host_->tcp.release(*std::exchange(held_, nullptr), now_);
  } else {
    held_->shutdown_send(now_);
  }
  model_.program_closes(lets_go);
  std::string wrong;
  EXPECT_EQ(flush(wrong).size(), 1u);
  EXPECT_EQ(wrong, "");
  pass(Duration::ms(10));
}

// --- situations

void Bench::enter(Situation situation) {
  model_ = Model();
  next_port_ = next_port_ == 60000 ? 1024 : static_cast<std::uint16_t>(next_port_ + 1);
  model_.their_port = model_.our_port = next_port_;
  reads_ = true;
  pass(Duration::ms(10));
  if (situation == Situation::closed) return;
  if (situation == Situation::syn_sent) return open_active();
  if (situation == Situation::syn_received_active) {
    open_active();
    return hear(segment(kSyn));
  }
  open_passive();
  if (situation == Situation::listen) return;
  hear(segment(kSyn));
  if (situation == Situation::syn_received) return;
  Fields last = segment(kAck);
  last.ack = model_.nxt;
  hear(last);
  program_sends(kInFlight);
  if (situation != Situation::established) enter_later(situation);
}

void Bench::enter_later(Situation situation) {
  const bool lets_go =
      situation == Situation::fin_wait_1_closed || situation == Situation::fin_wait_2_closed;
  if (situation == Situation::established_hole) {
    Fields text = segment(kAck);
    text.seq += 1000;
    text.text_length = 100;
    return hear(text);
  }
  if (situation == Situation::established_full) {
    for (reads_ = false; model_.window() != 0;) {
      Fields text = segment(kAck);
      text.text_length = std::min(model_.window(), kMostText);
      hear(text);
    }
    return;
  }
  if (situation == Situation::close_wait || situation == Situation::last_ack) {
    peer_finishes();
    if (situation == Situation::last_ack) program_shuts(false);
    return;
  }
  program_shuts(lets_go);
  if (situation == Situation::closing) return peer_finishes();
  if (situation == Situation::fin_wait_1 || situation == Situation::fin_wait_1_closed) return;
  Fields all = segment(kAck);
  all.ack = model_.nxt;
  hear(all);
  if (situation == Situation::time_wait) peer_finishes();
}

void Bench::leave() {
  if (held_) {
    held_->abort(now_);
    host_->tcp.release(*std::exchange(held_, nullptr), now_);
  }
  if (tcp::Connection* orphan = connection(); orphan && !orphan->links.listener) {
    orphan->abort(now_);
    host_->tcp.settle(*orphan, now_);
  }
  if (listener_) {
    host_->tcp.close(*std::exchange(listener_, nullptr), now_);
    host_->ports.release(*std::exchange(port_, nullptr));
  }
  std::deque<testing_support::Frame> last;
  host_->flush(now_, last);
}

// --- one packet

void Bench::inject(const Octets& packet) {
  Accepted<ipv4::Arrived> arrived =
      ipv4::accept(packet_from(packet), {routes_, kWire, /*is_link_broadcast=*/false});
  if (!arrived) return;
  if (arrived->is_fragment) arrived = reassembly_.add(std::move(*arrived), now_);
  if (!arrived) return;
  const IpInfo& ip = arrived->info;
  if (ip.protocol == pollux::wire::kProtocolIcmp) {
    const auto message = icmp::decode(ip, arrived->packet, routes_);
    if (message && message->kind == icmp::Kind::error) hear_error(message->error);
  }
  if (ip.protocol != pollux::wire::kProtocolTcp) return;
  Accepted<tcp::Arrival> segment = host_->tcp.decode(
      {ip.source, ip.destination, ip.tos, ip.is_broadcast}, std::move(arrived->packet));
  if (segment) host_->receive(std::move(*segment), now_);
}

// As core does.
void Bench::hear_error(const icmp::Error& error) {
  tcp::Connection* found = host_->tcp.find_connection(error.tuple);
  if (!found || error.protocol != pollux::wire::kProtocolTcp) return;
  if (error.is_too_big) {
    found->path_mtu(error.next_hop_mtu(), tcp::SeqNum(error.seq), now_);
  } else {
    found->icmp_error(error.error, error.is_hard, tcp::SeqNum(error.seq), now_);
  }
  host_->tcp.settle(*found, now_);
}

std::vector<Heard> Bench::flush(std::string& wrong) {
  std::deque<testing_support::Frame> wire;
  host_->flush(now_, wire);
  std::vector<Heard> all;
  for (const testing_support::Frame& frame : wire) {
    Octets octets(frame.packet.size());
    frame.packet.copy_out(0, std::as_writable_bytes(std::span(octets)));
    auto said = hear_segment(frame.source.v4_bits(), frame.destination.v4_bits(), octets);
    if (!said) {
      wrong += "a segment of wrong lengths or checksum; ";  // MUST-2
      continue;
    }
    const bool is_ours = said->destination_port == model_.their_port &&
                         said->source_port == model_.our_port && said->destination == kThem;
    check_segment(*said, is_ours, wrong);
    if (is_ours) model_.says(*said);
    all.push_back(std::move(*said));
  }
  return all;
}

// What holds of every segment that leaves.
void Bench::check_segment(const Heard& said, bool is_ours, std::string& wrong) const {
  const auto must = [&](bool holds, const char* what) {
    if (!holds) wrong += std::string(what) + " in " + describe(said);
  };
  must(said.reserved == 0, "reserved bits");
  must(said.options.is_clean, "options that are not clean");                    // MUST-68, MUST-69
  must(said.has(kSyn) || !read_options(said.raw_options, true).mss, "an MSS");  // MUST-65
  must(said.has(kUrg) || said.urgent == 0, "an urgent pointer without URG");    // V25
  if (!is_ours || said.has(kRst)) return;
  if (!said.has(kSyn)) {
    must(said.options.timestamps.has_value() == model_.has_timestamps, "timestamps");  // 7323-3.2a
  }
  if (!said.has(kAck)) return;
  must(said.ack == model_.rcv_nxt, "another ACK than RCV.NXT");
  if (said.options.timestamps && model_.has_timestamps) {
    must(said.options.timestamps->second == model_.ts_recent, "another TSecr than TS.Recent");
  }
  const unsigned scale = said.has(kSyn) ? 0 : model_.our_scale;
  const std::uint32_t edge = said.ack + (std::uint32_t{said.window} << scale);
  must(static_cast<std::int32_t>(edge - model_.right) >= 0, "a right edge that goes back");
  must(said.options.sack.empty() || model_.has_sack, "SACK");
  for (const auto& [left, right] : said.options.sack) {
    const auto is_before = [](std::uint32_t a, std::uint32_t b) {
      return static_cast<std::int32_t>(a - b) <= 0;
    };
    const bool is_known = is_before(right, model_.rcv_nxt) || is_before(right, model_.right);
    must(is_before(left + 1, right) && is_known, "a SACK block");
  }
}

std::string Bench::check_answers(const Verdict& verdict, const std::vector<Heard>& said) const {
  const auto unlike = [&](const char* what) {
    std::string text = std::string(what) + ": should be " + name_of(verdict.answer) + " seq " +
                       std::to_string(verdict.seq) + " ack " + std::to_string(verdict.ack) +
                       ", was ";
    for (const Heard& one : said) text += describe(one);
    return text;
  };
  if (said.empty()) {
    const bool may_be = verdict.answer == Answer::nothing || verdict.answer == Answer::may_ack;
    return may_be ? "" : unlike("no answer");
  }
  if (verdict.answer == Answer::nothing) return unlike("an answer");
  if (said.size() > 1) return unlike("several answers");  // 5681-4.2
  const Heard& only = said.front();
  if ((only.flags & 0x3f) != flags_of(verdict.answer)) return unlike("another answer");
  const bool is_known = verdict.answer != Answer::syn_ack || verdict.seq != 0;
  if (is_known && only.seq != verdict.seq) return unlike("another SEQ");
  if (only.has(kAck) && only.ack != verdict.ack) return unlike("another ACK");
  if (only.text_length() != 0) return unlike("text");
  return "";
}

// The octets that the model has in order, no more and no fewer.
std::string Bench::check_text() {
  if (!held_ && listener_ && listener_->is_acceptable()) held_ = *host_->tcp.accept(*listener_);
  if (!reads_) return "";
  Octets got;
  std::array<std::byte, 4096> room;
  while (held_) {
    const auto octets = held_->receive(room, {}, now_);
    if (!octets || *octets == 0) break;
    for (std::size_t i = 0; i < *octets; ++i) got.push_back(static_cast<std::uint8_t>(room[i]));
  }
  const Octets should = std::exchange(model_.unread, {});
  if (got == should) return "";
  return "read " + std::to_string(got.size()) + " octets, should be " +
         std::to_string(should.size()) + " or others; ";
}

std::string Bench::arrives(const Octets& packet) {
  const Verdict verdict = model_.arrives(packet);
  inject(packet);
  std::string wrong;
  const std::vector<Heard> said = flush(wrong);
  wrong += check_answers(verdict, said);
  if (state() != model_.state) {
    wrong += std::string("in ") + tcp::to_string(state()) + ", should be in " +
             tcp::to_string(model_.state) + "; ";
  }
  wrong += check_text();
  for (const Heard& update : flush(wrong)) {  // of the window, now that there is room
    if ((update.flags & 0x3f) != kAck || update.text_length() != 0) wrong += describe(update);
  }
  return wrong;
}

std::string Bench::goes_on() {
  if (!model_.may_receive() || model_.window() < 5) return "";
  reads_ = true;
  Fields text = segment(kAck);
  text.text_length = 5;
  return arrives(build(text));
}

}  // namespace pollux::systematic
