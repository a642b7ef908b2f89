// mutations.cc - the tables. Numbers are relative to what the model knows of the connection.
#include "tests/systematic/mutations.h"

#include <algorithm>
#include <array>

namespace pollux::systematic {
namespace {

enum Field : unsigned {
  kSeqField,
  kAckField,
  kFlagsField,
  kOffsetField,
  kReservedField,
  kWindowField,
  kChecksumField,
  kUrgentField,
  kTextField,
  kPortField,
  kOptionField,
  kVersionField,
  kIhlField,
  kTosField,
  kLengthField,
  kIdField,
  kFragmentField,
  kTtlField,
  kProtocolField,
  kIpChecksumField,
  kSourceField,
  kDestinationField,
  kIpOptionField
};

std::string numbered(const char* name, std::int64_t value) {
  return std::string(name) + " " + std::to_string(value);
}

template <typename Value, typename Set>
void each(Mutations& to, Field field, const char* name, std::initializer_list<Value> values,
          Set set) {
  for (const Value value : values) {
    to.push_back({numbered(name, static_cast<std::int64_t>(value)), field,
                  [value, set](Fields& f, const Model&) { set(f, value); }});
  }
}

void set_seq(Mutations& to, const char* name, std::uint32_t (*of)(const Model&)) {
  to.push_back(
      {std::string("seq ") + name, kSeqField, [of](Fields& f, const Model& m) { f.seq = of(m); }});
}
void set_ack(Mutations& to, const char* name, std::uint32_t (*of)(const Model&)) {
  to.push_back(
      {std::string("ack ") + name, kAckField, [of](Fields& f, const Model& m) { f.ack = of(m); }});
}

// V13's seven first.
void main_seqs(Mutations& to) {
  set_seq(to, "NXT-1", [](const Model& m) { return m.rcv_nxt - 1; });
  set_seq(to, "NXT", [](const Model& m) { return m.rcv_nxt; });
  set_seq(to, "NXT+1", [](const Model& m) { return m.rcv_nxt + 1; });
  set_seq(to, "mid", [](const Model& m) { return m.rcv_nxt + m.window() / 2; });
  set_seq(to, "right-1", [](const Model& m) { return m.right - 1; });
  set_seq(to, "right", [](const Model& m) { return m.right; });
  set_seq(to, "right+1", [](const Model& m) { return m.right + 1; });
}

void all_seqs(Mutations& to) {
  main_seqs(to);
  set_seq(to, "NXT-99", [](const Model& m) { return m.rcv_nxt - 99; });
  set_seq(to, "NXT-100", [](const Model& m) { return m.rcv_nxt - 100; });
  set_seq(to, "NXT-101", [](const Model& m) { return m.rcv_nxt - 101; });
  set_seq(to, "NXT-1000", [](const Model& m) { return m.rcv_nxt - 1000; });
  set_seq(to, "NXT+100", [](const Model& m) { return m.rcv_nxt + 100; });
  set_seq(to, "NXT+900", [](const Model& m) { return m.rcv_nxt + 900; });
  set_seq(to, "NXT+950", [](const Model& m) { return m.rcv_nxt + 950; });
  set_seq(to, "right-100", [](const Model& m) { return m.right - 100; });
  set_seq(to, "right-99", [](const Model& m) { return m.right - 99; });
  set_seq(to, "IRS", [](const Model& m) { return m.irs; });
  set_seq(to, "far", [](const Model& m) { return m.rcv_nxt + 0x80000000; });
  set_seq(to, "nearly far", [](const Model& m) { return m.rcv_nxt + 0x7fffffff; });
}

void main_acks(Mutations& to) {
  set_ack(to, "UNA-1", [](const Model& m) { return m.una - 1; });
  set_ack(to, "UNA", [](const Model& m) { return m.una; });
  set_ack(to, "UNA+1", [](const Model& m) { return m.una + 1; });
  set_ack(to, "NXT", [](const Model& m) { return m.nxt; });
  set_ack(to, "NXT+1", [](const Model& m) { return m.nxt + 1; });
  set_ack(to, "UNA-MAX.WND-1", [](const Model& m) { return m.una - m.max_wnd - 1; });
}

void all_acks(Mutations& to) {
  main_acks(to);
  set_ack(to, "NXT-1", [](const Model& m) { return m.nxt - 1; });
  set_ack(to, "UNA-MAX.WND", [](const Model& m) { return m.una - m.max_wnd; });
  set_ack(to, "ISS", [](const Model& m) { return m.iss; });
  set_ack(to, "0", [](const Model&) { return 0u; });
  set_ack(to, "far", [](const Model& m) { return m.una + 0x80000000; });
  set_ack(to, "nearly far", [](const Model& m) { return m.una + 0x7fffffff; });
}

void all_flags(Mutations& to) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    to.push_back({numbered("flags", flags), kFlagsField, [flags](Fields& f, const Model&) {
                    f.flags = static_cast<std::uint8_t>(flags);
                  }});
  }
}

void urgent_pointers(Mutations& to, std::initializer_list<int> values) {
  each<int>(to, kUrgentField, "urgent", values, [](Fields& f, int value) {
    f.flags |= kUrg;
    f.urgent = static_cast<std::uint16_t>(value);
  });
}

void put_word(Octets& to, std::uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) to.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Instead of all that the segment had.
void options_are(Mutations& to, const std::string& name, Octets (*of)(const Model&)) {
  to.push_back({name, kOptionField, [of](Fields& f, const Model& m) { f.options = of(m); }});
}

Octets timestamps(std::uint32_t value, std::uint32_t echo) {
  Octets made = {1, 1, 8, 10};
  put_word(made, value);
  put_word(made, echo);
  return made;
}

void main_timestamps(Mutations& to) {
  options_are(to, "no options", [](const Model&) { return Octets(); });
  options_are(to, "TSval-1", [](const Model& m) { return timestamps(m.ts_recent - 1, 0); });
  options_are(to, "TSval+0", [](const Model& m) { return timestamps(m.ts_recent, 0); });
  options_are(to, "TSval far",
              [](const Model& m) { return timestamps(m.ts_recent + 0x80000000, 0); });
}

void all_timestamps(Mutations& to) {
  main_timestamps(to);
  options_are(to, "TSval 0", [](const Model&) { return timestamps(0, 0); });
  options_are(to, "TSval+1", [](const Model& m) { return timestamps(m.ts_recent + 1, 0); });
  options_are(to, "TSval nearly far",
              [](const Model& m) { return timestamps(m.ts_recent + 0x7fffffff, 0); });
  options_are(to, "TSval too far",
              [](const Model& m) { return timestamps(m.ts_recent + 0x80000001, 0); });
  options_are(to, "TSecr all",
              [](const Model& m) { return timestamps(m.ts_recent + 1, 0xffffffff); });
  options_are(to, "TSecr 1", [](const Model& m) { return timestamps(m.ts_recent + 1, 1); });
  options_are(to, "TS old, then new", [](const Model& m) {
    Octets both = timestamps(m.ts_recent - 1, 0);
    const Octets right = timestamps(m.ts_recent + 1, 0);
    both.insert(both.end(), right.begin(), right.end());
    return both;
  });
  // MUST-64: at every alignment.
  options_are(to, "TS bare", [](const Model& m) {
    Octets bare = timestamps(m.ts_recent + 1, 0);
    bare.erase(bare.begin(), bare.begin() + 2);
    return bare;
  });
  options_are(to, "TS behind one NOP", [](const Model& m) {
    Octets bare = timestamps(m.ts_recent + 1, 0);
    bare.erase(bare.begin());
    return bare;
  });
  options_are(to, "TS behind three NOPs", [](const Model& m) {
    Octets bare = timestamps(m.ts_recent + 1, 0);
    bare.insert(bare.begin(), 1);
    return bare;
  });
}

// In front of what the segment had.
void option_before(Mutations& to, std::string name, Octets option) {
  to.push_back({std::move(name), kOptionField, [option](Fields& f, const Model&) {
                  f.options.insert(f.options.begin(), option.begin(), option.end());
                  f.options.resize(std::min<std::size_t>(f.options.size(), 40));
                }});
}

using Blocks = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
void sack_of(Mutations& to, const char* name, Blocks (*of)(const Model&)) {
  to.push_back({std::string("SACK ") + name, kOptionField, [of](Fields& f, const Model& m) {
                  Octets option = {1, 1, 5, 0};
                  for (const auto& [left, right] : of(m)) {
                    put_word(option, left);
                    put_word(option, right);
                  }
                  option[3] = static_cast<std::uint8_t>(option.size() - 2);
                  f.options.insert(f.options.end(), option.begin(), option.end());
                  if (f.options.size() > 40) f.options = option;
                }});
}

void main_sacks(Mutations& to) {
  sack_of(to, "of the last octets", [](const Model& m) { return Blocks{{m.nxt - 10, m.nxt}}; });
  sack_of(to, "outside", [](const Model& m) { return Blocks{{m.nxt, m.nxt + 100}}; });
  sack_of(to, "turned round", [](const Model& m) { return Blocks{{m.nxt, m.nxt - 10}}; });
}

void all_sacks(Mutations& to) {
  main_sacks(to);
  sack_of(to, "without blocks", [](const Model&) { return Blocks(); });
  sack_of(to, "empty", [](const Model& m) { return Blocks{{m.nxt, m.nxt}}; });
  sack_of(to, "of all", [](const Model& m) { return Blocks{{m.una, m.nxt}}; });
  sack_of(to, "below UNA", [](const Model& m) { return Blocks{{m.una - 10, m.una}}; });
  sack_of(to, "across UNA", [](const Model& m) { return Blocks{{m.una - 10, m.una + 10}}; });
  sack_of(to, "across NXT", [](const Model& m) { return Blocks{{m.nxt - 10, m.nxt + 10}}; });
  sack_of(to, "of half the circle", [](const Model& m) {
    return Blocks{{m.una + 1, m.una + 0x80000001}};
  });
  sack_of(to, "four", [](const Model& m) {
    return Blocks{{m.una + 10, m.una + 20},
                  {m.una + 30, m.una + 40},
                  {m.una + 15, m.una + 35},
                  {m.una + 1, m.una + 2}};
  });
}

// Kinds that somebody has defined (IANA), and some that nobody has.
bool is_of_interest(unsigned kind) {
  constexpr std::array kKinds = {19u,  28u,  29u,  30u,  34u,  69u, 128u,
                                 172u, 174u, 200u, 253u, 254u, 255u};
  return kind < 10 || std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
}

}  // namespace

Mutations tcp_fields() {
  Mutations made;
  all_seqs(made);
  all_acks(made);
  all_flags(made);
  for (unsigned offset = 0; offset < 16; ++offset) {
    each<unsigned>(made, kOffsetField, "data offset", {offset},
                   [](Fields& f, unsigned v) { f.data_offset = static_cast<std::uint8_t>(v); });
  }
  each<std::uint8_t>(made, kReservedField, "reserved", {1, 2, 4, 8, 15},
                     [](Fields& f, std::uint8_t v) { f.reserved = v; });
  each<std::uint16_t>(made, kWindowField, "window", {0, 1, 2, 999, 1000, 0x7fff, 0x8000, 0xffff},
                      [](Fields& f, std::uint16_t v) { f.window = v; });
  for (unsigned bit = 0; bit < 16; ++bit) {  // MUST-3
    each<unsigned>(made, kChecksumField, "checksum bit", {bit}, [](Fields& f, unsigned v) {
      f.checksum_off_by = static_cast<std::uint16_t>(1u << v);
    });
  }
  urgent_pointers(made, {0, 1, 2, 50, 99, 100, 101, 0x7fff, 0x8000, 0xffff});  // V2
  each<std::uint16_t>(made, kUrgentField, "urgent without URG", {1, 0xffff},
                      [](Fields& f, std::uint16_t v) { f.urgent = v; });
  each<std::uint32_t>(made, kTextField, "text",
                      {0, 1, 2, 1459, 1460, 1461, 2048, 2049, 8191, 8192, 8193, 20000, 65000},
                      [](Fields& f, std::uint32_t v) { f.text_length = v; });
  each<std::uint16_t>(made, kPortField, "source port", {0, 1, 65535},
                      [](Fields& f, std::uint16_t v) { f.source_port = v; });
  each<std::uint16_t>(made, kPortField, "destination port", {0, 1, 65535},
                      [](Fields& f, std::uint16_t v) { f.destination_port = v; });
  return made;
}

Mutations ip_fields() {
  Mutations made;
  for (unsigned v = 0; v < 256; ++v) {
    if (v < 16 && v != 4) {
      each<unsigned>(made, kVersionField, "version", {v},
                     [](Fields& f, unsigned to) { f.version = static_cast<std::uint8_t>(to); });
    }
    if (v < 16) {
      each<unsigned>(made, kIhlField, "IHL", {v},
                     [](Fields& f, unsigned to) { f.ihl = static_cast<std::uint8_t>(to); });
      each<unsigned>(made, kIpChecksumField, "IP checksum bit", {v}, [](Fields& f, unsigned to) {
        f.ip_checksum_off_by = static_cast<std::uint16_t>(1u << to);
      });
    }
    if (v != 6 && v != 1) {
      each<unsigned>(made, kProtocolField, "protocol", {v},
                     [](Fields& f, unsigned to) { f.protocol = static_cast<std::uint8_t>(to); });
    }
  }
  each<std::uint8_t>(made, kTosField, "TOS", {1, 2, 3, 0x10, 0xb8, 0xff},
                     [](Fields& f, std::uint8_t v) { f.tos = v; });
  each<int>(made, kLengthField, "total length off by",
            {-100000, -1000, -141, -140, -121, -120, -119, -101, -100, -99, -41, -40, -21, -20, -1,
             1, 2, 1000},
            [](Fields& f, int v) { f.total_length_off_by = v; });
  each<std::uint16_t>(made, kIdField, "id", {0, 0xffff},
                      [](Fields& f, std::uint16_t v) { f.id = v; });
  each<std::uint16_t>(made, kFragmentField, "fragment",
                      {0, 1, 0x1fff, 0x2000, 0x3fff, 0x4001, 0x6000, 0x8000, 0xc000, 0xffff},
                      [](Fields& f, std::uint16_t v) { f.fragment = v; });
  each<std::uint8_t>(made, kTtlField, "TTL", {0, 1, 255},
                     [](Fields& f, std::uint8_t v) { f.ttl = v; });
  each<std::uint32_t>(made, kSourceField, "source",
                      {0, kUs, kThem + 8, kUs | 0xff, 0x7f000001, 0xe0000001, 0xffffffff},
                      [](Fields& f, std::uint32_t v) { f.source = v; });
  each<std::uint32_t>(made, kDestinationField, "destination", {0, kThem, kUs + 1, 0x7f000002},
                      [](Fields& f, std::uint32_t v) { f.destination = v; });
  return made;
}

Mutations ip_options() {
  Mutations made;
  for (unsigned kind = 0; kind < 256; ++kind) {
    for (const unsigned length : {0u, 1u, 2u, 3u, 4u, 11u, 39u, 40u, 41u, 255u}) {
      Octets option = {static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(length)};
      option.resize(std::clamp<std::size_t>(length, 2, 40), 4);
      made.push_back({"IP option " + std::to_string(kind) + " length " + std::to_string(length),
                      kIpOptionField,
                      [option](Fields& f, const Model&) { f.ip_options = option; }});
    }
  }
  return made;
}

Mutations option_values() {
  Mutations made;
  all_timestamps(made);
  all_sacks(made);
  for (const unsigned mss : {0u, 1u, 47u, 48u, 49u, 88u, 535u, 536u, 1460u, 1461u, 65535u}) {
    option_before(made, numbered("MSS", mss),
                  {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)});
  }
  for (unsigned shift = 0; shift < 256; ++shift) {  // 7323-2.3, V25
    option_before(made, numbered("window scale", shift),
                  {3, 3, static_cast<std::uint8_t>(shift), 1});
  }
  option_before(made, "SACK-permitted", {4, 2});
  // MUST-69: what stands behind the end need not be zero.
  option_before(made, "end of options, then an MSS", {0, 2, 4, 1, 0, 8});
  option_before(made, "NOPs only", Octets(8, 1));
  return made;
}

Mutations option_shapes(unsigned nops, bool only_some) {
  Mutations made;
  for (unsigned kind = 0; kind < 256; ++kind) {
    if (only_some && !is_of_interest(kind)) continue;
    for (unsigned length = 0; length <= 40; ++length) {
      Octets option(nops, 1);
      option.push_back(static_cast<std::uint8_t>(kind));
      option.push_back(static_cast<std::uint8_t>(length));
      option.resize(nops + std::max(length, 2u), static_cast<std::uint8_t>(0xa5 + length));
      option_before(made,
                    "option " + std::to_string(kind) + " length " + std::to_string(length) +
                        " behind " + std::to_string(nops),
                    option);
    }
  }
  return made;
}

Mutations for_pairs() {
  Mutations made;
  main_seqs(made);
  main_acks(made);
  each<std::uint8_t>(made, kFlagsField, "flags",
                     {0, kAck, kSyn, kRst, kFin, kSyn | kAck, kRst | kAck, kFin | kAck, kSyn | kRst,
                      kSyn | kFin, 0xff},
                     [](Fields& f, std::uint8_t v) { f.flags = v; });
  each<std::uint8_t>(made, kOffsetField, "data offset", {4, 5, 6, 15},
                     [](Fields& f, std::uint8_t v) { f.data_offset = v; });
  each<std::uint16_t>(made, kWindowField, "window", {0, 0xffff},
                      [](Fields& f, std::uint16_t v) { f.window = v; });
  each<std::uint16_t>(made, kChecksumField, "checksum off by", {1},
                      [](Fields& f, std::uint16_t v) { f.checksum_off_by = v; });
  urgent_pointers(made, {0, 1, 0xffff});
  each<std::uint32_t>(made, kTextField, "text", {0, 1, 1460, 8192, 8193},
                      [](Fields& f, std::uint32_t v) { f.text_length = v; });
  each<std::uint16_t>(made, kPortField, "source port", {1},
                      [](Fields& f, std::uint16_t v) { f.source_port = v; });
  each<std::uint16_t>(made, kPortField, "destination port", {1},
                      [](Fields& f, std::uint16_t v) { f.destination_port = v; });
  main_timestamps(made);
  main_sacks(made);
  option_before(made, "option of length 0", {253, 0});
  option_before(made, "MSS 0", {2, 4, 0, 0});
  option_before(made, "window scale 255", {3, 3, 255, 1});
  each<int>(made, kLengthField, "total length off by", {-100, -1, 1},
            [](Fields& f, int v) { f.total_length_off_by = v; });
  each<std::uint16_t>(made, kFragmentField, "fragment", {0, 0x2000},
                      [](Fields& f, std::uint16_t v) { f.fragment = v; });
  each<std::uint8_t>(made, kTtlField, "TTL", {0}, [](Fields& f, std::uint8_t v) { f.ttl = v; });
  each<std::uint8_t>(made, kTosField, "TOS", {3}, [](Fields& f, std::uint8_t v) { f.tos = v; });
  each<std::uint32_t>(made, kSourceField, "source", {kThem + 8, kUs},
                      [](Fields& f, std::uint32_t v) { f.source = v; });
  return made;
}

}  // namespace pollux::systematic
