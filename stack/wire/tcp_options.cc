// tcp_options.cc - TCP options, octets to values and back; no length octet steers unchecked.
#include "stack/wire/tcp_options.h"

#include <algorithm>

#include "stack/base/check.h"

namespace pollux::wire {
namespace {

using tcp::SackBlock;
using tcp::SeqNum;
using tcp::TcpOptions;

enum Kind : std::uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
  kFastOpen = 34,
  kExperiment = 254
};
constexpr std::size_t kMssSize = 4, kWindowScaleSize = 3, kSackPermittedSize = 2,
                      kTimestampsSize = 10, kSackBlockSize = 8, kFastOpenHeader = 2,
                      kExperimentHeader = 4;
constexpr std::uint16_t kFastOpenExperiment = 0xf989;  // RFC 6994's ExID
constexpr std::uint8_t kMaxWindowScale = 14;           // RFC 7323 2.3

std::uint8_t octet_at(const std::byte* at) { return static_cast<std::uint8_t>(*at); }
std::uint32_t word_at(const std::byte* at) { return *reinterpret_cast<const be32*>(at); }

void parse_timestamps(ConstBytes option, TcpOptions& out) {
  out.has_timestamps = true;
  out.ts_val = word_at(option.data() + 2);
  out.ts_ecr = word_at(option.data() + 6);
}

void parse_sack(ConstBytes option, TcpOptions& out) {
  const std::size_t octets = option.size() - 2;
  if (octets == 0 || octets % kSackBlockSize != 0) return;
  // 40 octets of options hold 4 blocks at most.
  out.sack_count =
      static_cast<std::uint8_t>(std::min(octets / kSackBlockSize, std::size(out.sack)));
  for (std::size_t i = 0; i < out.sack_count; ++i) {
    const std::byte* at = option.data() + 2 + i * kSackBlockSize;
    out.sack[i] = {SeqNum(word_at(at)), SeqNum(word_at(at + 4))};
  }
}

// RFC 7413 4.1.1: none, or 4 to 16 octets, an even number; another length is no cookie.
void parse_fast_open(ConstBytes cookie, bool is_experimental, TcpOptions& out) {
  const std::size_t size = cookie.size();
  const bool is_legal = size == 0 || (size >= 4 && size <= out.fast_open.octets.size());
  if (!is_legal || size % 2 != 0) return;
  out.has_fast_open = true;
  out.is_fast_open_experimental = is_experimental;
  out.fast_open = {};  // the last one counts
  out.fast_open.size = static_cast<std::uint8_t>(size);
  if (size != 0) std::memcpy(out.fast_open.octets.data(), cookie.data(), size);
}

void parse_experiment(ConstBytes option, TcpOptions& out) {
  if (option.size() < kExperimentHeader) return;
  const std::uint16_t id = *reinterpret_cast<const be16*>(option.data() + 2);
  if (id == kFastOpenExperiment) parse_fast_open(option.subspan(kExperimentHeader), true, out);
}

void parse_syn_option(ConstBytes option, TcpOptions& out) {
  switch (octet_at(option.data())) {
    case kMss:
      if (option.size() == kMssSize) out.mss = *reinterpret_cast<const be16*>(option.data() + 2);
      break;
    case kWindowScale:
      if (option.size() != kWindowScaleSize) break;
      out.has_window_scale = true;
      out.window_scale = std::min(octet_at(option.data() + 2), kMaxWindowScale);
      break;
    case kSackPermitted:
      if (option.size() == kSackPermittedSize) out.sack_permitted = true;
      break;
    case kFastOpen:
      parse_fast_open(option.subspan(kFastOpenHeader), false, out);
      break;
    case kExperiment:
      parse_experiment(option, out);
      break;
    default:
      break;
  }
}

// A known option of a length it cannot have is ignored like an unknown one.
void parse_option(ConstBytes option, bool is_syn, TcpOptions& out) {
  const std::uint8_t kind = octet_at(option.data());
  if (kind == kTimestamps && option.size() == kTimestampsSize) return parse_timestamps(option, out);
  if (is_syn) return parse_syn_option(option, out);
  if (kind == kSack) parse_sack(option, out);
}

// NOP NOP timestamps and nothing else: what nearly every segment carries.
bool is_timestamps_only(ConstBytes octets) {
  return octets.size() == 12 && word_at(octets.data()) == 0x0101080a;
}

}  // namespace

void parse_tcp_options(ConstBytes octets, bool is_syn, TcpOptions& out) {
  DCHECK(octets.size() <= kTcpMaxOptions);
  if (is_timestamps_only(octets)) return parse_timestamps(octets.subspan(2), out);
  // Every turn takes an octet at least: 40 turns at most.
  while (!octets.empty()) {
    const std::uint8_t kind = octet_at(octets.data());  // MUST-64: wherever it stands
    if (kind == kEnd) break;                            // MUST-69: whatever follows
    if (kind == kNop) {
      octets = octets.subspan(1);
      continue;
    }
    if (octets.size() < 2) break;
    const std::uint8_t length = octet_at(octets.data() + 1);
    if (length < 2 || length > octets.size()) break;  // MUST-7
    parse_option(octets.first(length), is_syn, out);  // MUST-6: unknown ones are stepped over
    octets = octets.subspan(length);
  }
}

namespace {

std::size_t fast_open_size(const TcpOptions& options) {
  if (!options.has_fast_open) return 0;
  const std::size_t header =
      options.is_fast_open_experimental ? kExperimentHeader : kFastOpenHeader;
  return header + options.fast_open.size;
}

std::size_t fixed_size(const TcpOptions& options) {
  std::size_t size = 0;
  if (options.mss != 0) size += kMssSize;
  if (options.has_timestamps) {
    size += 12;  // SACK-permitted takes the place of the two NOPs
  } else if (options.sack_permitted) {
    size += 4;
  }
  if (options.has_window_scale) size += 4;
  return size + (fast_open_size(options) + 3) / 4 * 4;
}

std::size_t sack_blocks_that_fit(const TcpOptions& options, std::size_t used) {
  if (options.sack_count == 0 || used + 4 + kSackBlockSize > kTcpMaxOptions) return 0;
  const std::size_t room = (kTcpMaxOptions - used - 4) / kSackBlockSize;
  return std::min({room, std::size_t{options.sack_count}, std::size(options.sack)});
}

class Writer {
 public:
  explicit Writer(std::byte* at) : start_(at), at_(at) {}
  void octets(std::initializer_list<unsigned> values) {
    for (const unsigned value : values) *at_++ = static_cast<std::byte>(value);
  }
  void half(unsigned value) { octets({value >> 8, value & 0xff}); }
  void word(std::uint32_t value) {
    const be32 wire(value);
    std::memcpy(at_, &wire, sizeof wire);
    at_ += sizeof wire;
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - start_); }

 private:
  std::byte* start_;
  std::byte* at_;
};

void write_timestamps(Writer& writer, const TcpOptions& options) {
  if (options.sack_permitted) {
    writer.octets({kSackPermitted, kSackPermittedSize});
  } else {
    writer.octets({kNop, kNop});
  }
  writer.octets({kTimestamps, kTimestampsSize});
  writer.word(options.ts_val);
  writer.word(options.ts_ecr);
}

void write_fast_open(Writer& writer, const TcpOptions& options) {
  const std::size_t size = fast_open_size(options);
  for (std::size_t i = size; i % 4 != 0; ++i) writer.octets({kNop});
  const auto length = static_cast<unsigned>(size);
  if (options.is_fast_open_experimental) {
    writer.octets({kExperiment, length});
    writer.half(kFastOpenExperiment);
  } else {
    writer.octets({kFastOpen, length});
  }
  for (std::size_t i = 0; i < options.fast_open.size; ++i) {
    writer.octets({options.fast_open.octets[i]});
  }
}

}  // namespace

std::size_t tcp_options_size(const TcpOptions& options) {
  const std::size_t fixed = fixed_size(options);
  const std::size_t blocks = sack_blocks_that_fit(options, fixed);
  return fixed + (blocks != 0 ? 4 + blocks * kSackBlockSize : 0);
}

std::size_t build_tcp_options(const TcpOptions& options, Bytes out) {
  DCHECK(out.size() >= tcp_options_size(options));
  Writer writer(out.data());
  if (options.mss != 0) {
    writer.octets({kMss, kMssSize});
    writer.half(options.mss);
  }
  if (options.has_timestamps) {
    write_timestamps(writer, options);
  } else if (options.sack_permitted) {
    writer.octets({kNop, kNop, kSackPermitted, kSackPermittedSize});
  }
  if (options.has_window_scale) {
    writer.octets({kNop, kWindowScale, kWindowScaleSize, options.window_scale});
  }
  const std::size_t blocks = sack_blocks_that_fit(options, fixed_size(options));
  if (blocks != 0) {
    writer.octets({kNop, kNop, kSack, static_cast<unsigned>(2 + blocks * kSackBlockSize)});
  }
  for (std::size_t i = 0; i < blocks; ++i) {
    writer.word(options.sack[i].left.value());
    writer.word(options.sack[i].right.value());
  }
  if (options.has_fast_open) write_fast_open(writer, options);
  DCHECK(writer.size() % 4 == 0 && writer.size() == tcp_options_size(options));
  return writer.size();
}

}  // namespace pollux::wire
