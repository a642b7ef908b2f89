// fuzz_reassembly.cc - fragments of a few datagrams in any order; what becomes whole is
// octet-exact.
#include "stack/ip/reassembly.h"
#include "tests/fuzz/fuzz_packets.h"

namespace pollux::fuzz {

// Four octets a fragment: offset / 8 (2, with flags as on the wire), octets, datagram and pause.
std::vector<Octets> seeds() {
  return {{0x20, 0, 16, 0, 0x20, 2, 16, 0, 0, 4, 5, 0},
          {0, 4, 5, 0, 0x20, 2, 16, 0, 0x20, 0, 16, 0},
          {0x20, 0, 16, 1, 0x20, 0, 16, 2, 0, 2, 8, 1, 0, 2, 9, 2},
          {0x20, 0, 24, 0, 0x20, 1, 8, 0, 0, 3, 8, 0},
          {0x3f, 0xff, 255, 0, 0x1f, 0xff, 8, 0},
          {0x20, 0, 16, 0xf0, 0, 2, 1, 0xf0}};
}

namespace {

constexpr Reassembly::Limits kLimits{
    .datagrams = 8, .fragments = 32, .fragments_per_datagram = 16, .memory = 100000};

std::uint8_t octet_at(unsigned datagram, std::size_t at) {
  return static_cast<std::uint8_t>(at * 7 + datagram * 31 + (at >> 8));
}

class Run {
 public:
  explicit Run(Input& input) : input_(input), reassembly_(kLimits, rng_) {}
  void step() {
    const std::uint16_t field = input_.half();
    const std::size_t size = input_.octet();
    const std::uint8_t last = input_.octet();
    const unsigned datagram = last & 7;
    if ((last & 0xf0) == 0xf0) now_ = now_ + Duration::seconds(16);
    ipv4::Arrived fragment;
    fragment.info.source = IpAddress::v4(198, 18, 0, 2);
    fragment.info.destination = IpAddress::v4(198, 18, 0, 1);
    fragment.info.protocol = (last & 8) != 0 ? wire::kProtocolTcp : wire::kProtocolUdp;
    fragment.is_fragment = true;
    fragment.id = static_cast<std::uint16_t>(datagram);
    fragment.fragment_offset = static_cast<std::uint16_t>((field & 0x1fff) * 8);
    fragment.more_fragments = (field & 0x2000) != 0;
    Octets octets(size);
    for (std::size_t i = 0; i < size; ++i) {
      octets[i] = octet_at(datagram, fragment.fragment_offset + i);
    }
    fragment.packet = packet_of(octets, last >> 4);
    const auto whole = reassembly_.add(std::move(fragment), now_);
    if (whole) check(octets_in(whole->packet), datagram);
    check_bounds();
  }

 private:
  void check(const Octets& whole, unsigned datagram) {
    CHECK(!whole.empty());
    for (std::size_t i = 0; i < whole.size(); ++i) CHECK(whole[i] == octet_at(datagram, i));
  }
  void check_bounds() {
    CHECK(reassembly_.datagrams() <= kLimits.datagrams);
    CHECK(reassembly_.fragments() <= kLimits.fragments);
    CHECK(reassembly_.memory() <= kLimits.memory);
    ipv4::Arrived expired;
    while (reassembly_.next_expired(expired)) CHECK(expired.packet);
  }

  Input& input_;
  Rng rng_{1};
  Instant now_ = Instant::from_ns(1'000'000'000);
  Reassembly reassembly_;
};

}  // namespace
}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pollux::fuzz;  // NOLINT: the entry point has a C name
  const PoolWatch watch;
  Input input(data, size);
  Run run(input);
  while (!input.is_empty()) run.step();
  return 0;
}
