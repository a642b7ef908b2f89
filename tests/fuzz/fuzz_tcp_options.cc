// fuzz_tcp_options.cc - options from octets, written and read again: the same.
#include "stack/base/check.h"
#include "stack/wire/ip_options.h"
#include "stack/wire/tcp_options.h"
#include "tests/fuzz/fuzz.h"

namespace pollux::fuzz {

std::vector<Octets> seeds() {
  return {
      {1, 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7},
      {0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2},
      {0, 1, 1, 5, 26, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 12, 0, 0, 0, 20, 0, 0, 0, 30},
      {1, 131, 7, 4, 1, 2, 3, 4, 0},
      {1, 2, 4, 5, 0xb4, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1},
      {1, 254, 8, 0xf9, 0x89, 1, 2, 3, 4, 34, 2}};
}

namespace {

void check_round_trip(const tcp::TcpOptions& options, bool is_syn) {
  std::byte out[wire::kTcpMaxOptions];
  const std::size_t size = wire::build_tcp_options(options, out);
  CHECK(size <= wire::kTcpMaxOptions && size % 4 == 0);
  CHECK(size == wire::tcp_options_size(options));
  tcp::TcpOptions again;
  wire::parse_tcp_options({out, size}, is_syn, again);
  CHECK(again.mss == options.mss && again.sack_permitted == options.sack_permitted);
  CHECK(again.has_window_scale == options.has_window_scale);
  CHECK(again.window_scale == options.window_scale);
  CHECK(again.has_timestamps == options.has_timestamps);
  CHECK(again.ts_val == options.ts_val && again.ts_ecr == options.ts_ecr);
  CHECK(again.has_fast_open == options.has_fast_open);
  CHECK(again.is_fast_open_experimental == options.is_fast_open_experimental);
  CHECK(again.fast_open == options.fast_open);
  CHECK(again.sack_count <= options.sack_count);
  for (std::size_t i = 0; i < again.sack_count; ++i) CHECK(again.sack[i] == options.sack[i]);
}

}  // namespace
}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pollux;  // NOLINT: the entry point has a C name
  fuzz::Input input(data, size);
  const bool is_syn = (input.octet() & 1) != 0;
  const fuzz::Octets octets = input.octets(wire::kTcpMaxOptions);
  tcp::TcpOptions options;
  wire::parse_tcp_options(fuzz::bytes_of(octets), is_syn, options);
  CHECK(options.sack_count <= 4 && options.window_scale <= 14);
  CHECK(is_syn || (options.mss == 0 && !options.has_window_scale && !options.sack_permitted));
  CHECK(is_syn || !options.has_fast_open);
  fuzz::check_round_trip(options, is_syn);
  (void)wire::check_ip_options(fuzz::bytes_of(octets));
  return 0;
}
