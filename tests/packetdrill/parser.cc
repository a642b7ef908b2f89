// parser.cc - the language: a time, then a packet, a call, or a question.
#include <array>
#include <string_view>

#include "tests/packetdrill/scanner.h"

namespace pollux::packetdrill {

const Value* Value::field(const std::string& name) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

namespace {

constexpr std::string_view kControlLetters = "FSRP.UEW";  // as the bits, from the lowest

std::uint32_t sequence(Scanner& in) { return static_cast<std::uint32_t>(in.number()); }

// Of what cannot be negative or larger than `most`.
std::int64_t bounded(Scanner& in, std::int64_t most) {
  const std::int64_t value = in.number();
  if (value < 0 || value > most) in.fail("the number is not from 0 to " + std::to_string(most));
  return value;
}

// seq:end(length)
void parse_range(Scanner& in, std::uint32_t& seq, std::uint32_t& length) {
  seq = sequence(in);
  in.expect(":");
  const std::uint32_t end = sequence(in);
  in.expect("(");
  length = sequence(in);
  in.expect(")");
  if (seq + length != end) in.fail("the sequence numbers do not differ by the length");
}

std::optional<std::uint32_t> value_or_any(Scanner& in) {
  if (in.accept("*")) return std::nullopt;
  return sequence(in);
}

TcpOption parse_raw_option(Scanner& in) {
  TcpOption option{.kind = TcpOption::Kind::raw};
  const std::string digits = in.word();
  const bool is_hexadecimal = digits.starts_with("0x") &&
                              digits.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
  if (!is_hexadecimal || digits.size() % 2 != 0) in.fail("raw 0x and an even number of digits");
  for (std::size_t i = 2; i < digits.size(); i += 2) {
    option.octets.push_back(
        static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return option;
}

TcpOption parse_option(Scanner& in) {
  TcpOption option;
  if (in.accept("nop")) return option;
  if (in.accept("raw")) return parse_raw_option(in);
  if (in.accept("eol")) {
    option.kind = TcpOption::Kind::end;
  } else if (in.accept("sackOK")) {
    option.kind = TcpOption::Kind::sack_ok;
  } else if (in.accept("mss")) {
    option.kind = TcpOption::Kind::mss;
    option.value = static_cast<std::uint32_t>(bounded(in, UINT16_MAX));
  } else if (in.accept("wscale")) {
    option.kind = TcpOption::Kind::wscale;
    option.value = static_cast<std::uint32_t>(bounded(in, UINT8_MAX));
  } else if (in.accept("TS")) {
    option.kind = TcpOption::Kind::timestamps;
    in.expect("val");
    option.value = value_or_any(in);
    in.expect("ecr");
    option.echo = value_or_any(in);
  } else if (in.accept("FO")) {
    option.kind = TcpOption::Kind::fast_open;
    option.value = in.accept("cookie") ? 1 : 0;
    if (in.accept("*")) option.value.reset();
  } else if (in.accept("sack")) {
    option.kind = TcpOption::Kind::sack;
    while (in.is_at_number()) {
      const std::uint32_t left = sequence(in);
      in.expect(":");
      option.blocks.emplace_back(left, sequence(in));
    }
  } else {
    in.fail("no TCP option is called \"" + in.word() + "\"");
  }
  return option;
}

void parse_options(Scanner& in, TcpPacket& packet) {
  if (!in.accept("<")) return;
  if (in.accept("...")) {
    packet.has_any_options = true;
  } else {
    do {
      packet.options.push_back(parse_option(in));
    } while (in.accept(","));
  }
  in.expect(">");
}

TcpPacket parse_tcp(Scanner& in) {
  TcpPacket packet;
  if (!in.accept("-")) {
    const std::string letters = in.run_of(kControlLetters);
    if (letters.empty())
      in.fail("control bits are needed: some of " + std::string(kControlLetters));
    for (const char letter : letters) {
      packet.control |= static_cast<std::uint8_t>(1u << kControlLetters.find(letter));
    }
  }
  parse_range(in, packet.seq, packet.length);
  if (in.accept("ack")) packet.ack = sequence(in);
  if (in.accept("win")) packet.window = static_cast<std::uint16_t>(bounded(in, UINT16_MAX));
  if (in.accept("urg")) packet.urgent = static_cast<std::uint16_t>(bounded(in, UINT16_MAX));
  parse_options(in, packet);
  if (packet.ack.has_value() != ((packet.control & kAck) != 0)) {
    in.fail("\"ack N\" and the control bit \".\" come together");
  }
  return packet;
}

struct IcmpName {
  std::string_view name;
  std::uint8_t type, code;
};
constexpr IcmpName kIcmpNames[] = {
    {"net_unreachable", 3, 0},    {"host_unreachable", 3, 1}, {"protocol_unreachable", 3, 2},
    {"port_unreachable", 3, 3},   {"frag_needed", 3, 4},      {"source_route_failed", 3, 5},
    {"net_unknown", 3, 6},        {"host_unknown", 3, 7},     {"host_isolated", 3, 8},
    {"net_prohibited", 3, 9},     {"host_prohibited", 3, 10}, {"admin_prohibited", 3, 13},
    {"source_quench", 4, 0},      {"ttl_exceeded", 11, 0},    {"reassembly_exceeded", 11, 1},
    {"parameter_problem", 12, 0},
};

IcmpPacket parse_icmp(Scanner& in) {
  IcmpPacket packet;
  if (in.accept("type")) {
    packet.type = static_cast<std::uint8_t>(bounded(in, UINT8_MAX));
    in.expect("code");
    packet.code = static_cast<std::uint8_t>(bounded(in, UINT8_MAX));
  } else {
    in.accept("unreachable");
    const std::string name = in.word();
    const IcmpName* found = nullptr;
    for (const IcmpName& one : kIcmpNames) {
      if (one.name == name) found = &one;
    }
    if (!found) in.fail("no ICMP error is called \"" + name + "\"");
    packet.type = found->type;
    packet.code = found->code;
  }
  if (in.accept("mtu")) packet.mtu = static_cast<std::uint16_t>(bounded(in, UINT16_MAX));
  in.expect("[");
  parse_range(in, packet.seq, packet.length);
  in.expect("]");
  return packet;
}

PacketMarks parse_marks(Scanner& in) {
  PacketMarks marks;
  if (!in.accept("[")) return marks;
  do {
    if (in.accept("tos")) {
      marks.tos = static_cast<std::uint8_t>(bounded(in, UINT8_MAX));
    } else if (in.accept("ttl")) {
      marks.ttl = static_cast<std::uint8_t>(bounded(in, UINT8_MAX));
    } else {
      marks.connection = static_cast<unsigned>(bounded(in, 1000));
    }
  } while (in.accept(","));
  in.expect("]");
  return marks;
}

PacketEvent parse_packet(Scanner& in, bool is_inbound) {
  PacketEvent event{.is_inbound = is_inbound, .marks = parse_marks(in), .content = {}};
  if (in.accept("icmp")) {
    if (!is_inbound) in.fail("ICMP errors come to the stack only");
    event.content = parse_icmp(in);
  } else if (in.accept("udp")) {
    in.expect("(");
    event.content = UdpPacket{static_cast<std::uint32_t>(bounded(in, UINT16_MAX))};
    in.expect(")");
  } else {
    event.content = parse_tcp(in);
  }
  return event;
}

std::int64_t symbol(Scanner& in) {
  if (in.is_at_number()) return in.number();
  const std::string name = in.word();
  const std::optional<std::int64_t> value = find_symbol(name);
  if (!value) in.fail("unknown name \"" + name + "\"");
  return *value;
}

Value parse_value(Scanner& in);

void parse_record(Scanner& in, Value& record) {
  record.kind = Value::Kind::record;
  while (!in.accept("}")) {
    std::string name;
    // A field's name begins with a small letter, a constant's with a capital one.
    if (in.peek() >= 'a' && in.peek() <= 'z') {
      name = in.word();
      in.expect("=");
    }
    record.names.push_back(name);
    record.items.push_back(parse_value(in));
    if (in.peek() != '}') in.expect(",");
  }
}

Value parse_value(Scanner& in) {
  Value value;
  if (in.accept("...") || in.accept("*")) return value;
  if (in.peek() == '"') {
    value.kind = Value::Kind::text;
    value.text = in.quoted();
  } else if (in.accept("[")) {
    value.kind = Value::Kind::list;
    while (!in.accept("]")) {
      value.items.push_back(parse_value(in));
      if (in.peek() != ']') in.expect(",");
    }
  } else if (in.accept("{")) {
    parse_record(in, value);
  } else {
    value.kind = Value::Kind::number;
    do {
      value.number |= symbol(in);
    } while (in.accept("|"));
  }
  return value;
}

CallEvent parse_call(Scanner& in, std::string name) {
  CallEvent call{.name = std::move(name), .arguments = {}, .result = {}, .error = {}};
  in.expect("(");
  while (!in.accept(")")) {
    call.arguments.push_back(parse_value(in));
    if (in.peek() != ')') in.expect(",");
  }
  in.expect("=");
  call.result = parse_value(in);
  if (in.peek() == 'E') call.error = in.word();
  if (in.accept("(")) in.skip_to(')');  // the error in words
  if (!call.error.empty() && call.result.number != -1) in.fail("errors come with -1");
  if (call.error.empty() && call.result.number == -1) in.fail("which error? -1 NAME");
  return call;
}

InfoEvent parse_info(Scanner& in) {
  InfoEvent info;
  in.expect("(");
  info.fd = in.number();
  in.expect(")");
  in.expect(".");
  info.field = in.word();
  for (const std::string_view relation : {"==", "!=", "<=", ">=", "<", ">"}) {
    if (!info.relation.empty() || !in.accept(relation)) continue;
    info.relation = relation;
  }
  if (info.relation.empty()) in.fail("a relation is needed: == != <= >= < >");
  info.value = symbol(in);
  return info;
}

When parse_when(Scanner& in) {
  When when;
  if (in.accept("*")) {
    when.kind = When::Kind::any;
    return when;
  }
  when.kind = in.accept("+") ? When::Kind::relative : When::Kind::absolute;
  when.usecs = in.seconds();
  when.blocks = in.accept("...");
  if (when.blocks || in.accept("~")) {
    in.accept("+");
    when.until_usecs = in.seconds();
    if (*when.until_usecs < when.usecs) in.fail("the range ends before it begins");
  }
  return when;
}

Event read_event(Scanner& in) {
  Event event{.line = in.line(), .source = in.source(), .when = parse_when(in), .what = {}};
  if (in.accept("<")) {
    event.what = parse_packet(in, true);
  } else if (in.accept(">")) {
    event.what = parse_packet(in, false);
  } else {
    std::string name = in.word();
    if (name == "silence") {
      event.what = SilenceEvent{};
    } else if (name == "tcp_info") {
      event.what = parse_info(in);
    } else {
      event.what = parse_call(in, std::move(name));
    }
  }
  return event;
}

void check_event(const Event& event) {
  const bool is_call = std::holds_alternative<CallEvent>(event.what);
  if (event.when.blocks && !is_call) throw Failure{event.line, "only calls block"};
  const auto* packet = std::get_if<PacketEvent>(&event.what);
  const bool may_range = packet && !packet->is_inbound;
  const bool has_range = event.when.until_usecs && !event.when.blocks;
  if ((has_range || event.when.kind == When::Kind::any) && !may_range) {
    throw Failure{event.line, "only packets that the stack sends may come at any time"};
  }
}

// What is wrong is told with the line on which the event begins.
Event parse_event(Scanner& in) {
  in.is_at_end();
  const unsigned line = in.line();
  try {
    Event event = read_event(in);
    check_event(event);
    return event;
  } catch (const Failure& failure) {
    throw Failure{line, failure.message};
  }
}

}  // namespace

Script parse_script(const std::string& path, const std::string& text) {
  Script script{.path = path};
  Scanner in(text);
  while (in.peek() == '-') {
    in.expect("--");
    const std::string option = in.rest_of_line();
    constexpr std::string_view kTolerance = "tolerance_usecs=";
    if (option.starts_with(kTolerance)) {
      script.tolerance = std::stol(option.substr(kTolerance.size()));
    } else {
      script.flags += (script.flags.empty() ? "" : ",") + option;
    }
  }
  while (!in.is_at_end()) script.events.push_back(parse_event(in));
  if (script.events.empty()) in.fail("there is nothing in it");
  return script;
}

}  // namespace pollux::packetdrill
