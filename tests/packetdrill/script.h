// script.h - a script as data: what the parser makes and the runner walks through.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pollux::packetdrill {

// An argument or result: 3, POLLIN|POLLOUT, "abc", ..., [a, b], {name=value, ...}, *.
struct Value {
  enum class Kind : std::uint8_t { number, text, any, list, record };
  Kind kind = Kind::any;  // `...` and `*`
  std::int64_t number = 0;
  std::string text;
  std::vector<Value> items;        // of a list, or the fields' of a record
  std::vector<std::string> names;  // of the fields; "" where there is none
  const Value* field(const std::string& name) const;
};

inline constexpr std::uint8_t kSyn = 2, kAck = 0x10, kUrg = 0x20;  // control bits

struct TcpOption {
  enum class Kind : std::uint8_t {
    end,
    nop,
    mss,
    wscale,
    sack_ok,
    timestamps,
    sack,
    fast_open,
    raw
  };
  Kind kind = Kind::nop;
  // None: `*`. Of Fast Open, whether there is a cookie: 0 none, 1 that of the script.
  std::optional<std::uint32_t> value, echo;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks;
  std::vector<std::uint8_t> octets;  // a cookie; of a raw one, its kind and length included
  friend bool operator==(const TcpOption&, const TcpOption&) = default;
};

// What stands in [] before the flags.
struct PacketMarks {
  unsigned connection = 1;
  std::optional<std::uint8_t> tos, ttl;
};

// Sequence numbers are the script's: ours count from our SYN, the peer's are as on the wire.
struct TcpPacket {
  std::uint8_t control = 0;
  std::uint32_t seq = 0, length = 0;
  std::optional<std::uint32_t> ack;
  std::optional<std::uint16_t> window, urgent;
  std::vector<TcpOption> options;
  bool has_any_options = false;  // <...>
};

struct UdpPacket {
  std::uint32_t length = 0;
};

// To the stack only; quotes a segment that the stack has sent.
struct IcmpPacket {
  std::uint8_t type = 0, code = 0;
  std::uint16_t mtu = 0;
  std::uint32_t seq = 0, length = 0;
};

struct PacketEvent {
  bool is_inbound = false;
  PacketMarks marks;
  std::variant<TcpPacket, UdpPacket, IcmpPacket> content;
};

struct CallEvent {
  std::string name;
  std::vector<Value> arguments;
  Value result;
  std::string error;  // its name; "" if none is expected
};

// tcp_info(FD).FIELD == VALUE
struct InfoEvent {
  std::int64_t fd = 0;
  std::string field, relation;
  std::int64_t value = 0;
};

// Until then nothing has been sent.
struct SilenceEvent {};

struct When {
  enum class Kind : std::uint8_t { relative, absolute, any };
  Kind kind = Kind::relative;
  std::int64_t usecs = 0;
  std::optional<std::int64_t> until_usecs;  // of a range, or the end of a call that blocks
  bool blocks = false;
};

struct Event {
  unsigned line = 0;
  std::string source;  // the line's text
  When when;
  std::variant<PacketEvent, CallEvent, InfoEvent, SilenceEvent> what;
};

struct Script {
  std::string path;
  std::string flags;              // of the --key=value lines, for the stack
  std::int64_t tolerance = 1000;  // --tolerance_usecs
  std::vector<Event> events;
};

// Where, and what is wrong or was seen.
struct Failure {
  unsigned line = 0;
  std::string message;
};

// Throws Failure.
Script parse_script(const std::string& path, const std::string& text);
// The number of a name such as SOL_SOCKET; none: unknown.
std::optional<std::int64_t> find_symbol(const std::string& name);

}  // namespace pollux::packetdrill
