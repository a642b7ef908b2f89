// fuzz_frame.cc - one frame after the other, of any shape, against a server that listens.
#include "tests/fuzz/fuzz_world.h"

namespace pollux::fuzz {
namespace {

constexpr std::size_t kFrames = 8, kLargest = 1514;

// The frames of an input: two octets of length before each; the last may be short.
void run(World& world, Input& input) {
  if (!world.is_untouched()) world.begin();
  world.advance(Duration::seconds(1));
  for (std::size_t frames = 0; frames < kFrames && !input.is_empty(); ++frames) {
    world.transmit(packet_of(input.octets(input.half() % (kLargest + 1))));
  }
}

Octets framed(const Octets& payload, std::uint16_t type) {
  Octets octets;
  append(octets, be16(static_cast<std::uint16_t>(payload.size() + 14)));
  for (const int octet : {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}) {
    octets.push_back(static_cast<std::uint8_t>(octet));
  }
  append(octets, be16(type));
  octets.insert(octets.end(), payload.begin(), payload.end());
  return octets;
}

Octets ip_framed(std::uint8_t protocol, const Octets& payload) {
  Octets octets;
  append(octets, ip_header(protocol, payload.size()));
  octets.insert(octets.end(), payload.begin(), payload.end());
  return framed(octets, 0x0800);
}

Octets summed(std::uint8_t protocol, Octets payload, std::size_t at) {
  wire::Sum sum;
  if (protocol != wire::kProtocolIcmp) {
    sum = wire::Sum(wire::pseudo_header_sum(
        {kPeer, kUs, protocol, static_cast<std::uint32_t>(payload.size())}));
  }
  sum.add(bytes_of(payload));
  payload[at] = static_cast<std::uint8_t>(sum.checksum() >> 8);
  payload[at + 1] = static_cast<std::uint8_t>(sum.checksum());
  return payload;
}

}  // namespace

std::vector<Octets> seeds() {
  const Octets syn{0x23, 0x28, 0,   80,  0, 0, 0, 1, 0, 0, 0, 0,
                   0x60, 2,    255, 255, 0, 0, 0, 0, 2, 4, 5, 0xb4};
  const Octets rst{0x23, 0x28, 0, 80, 0, 0, 0, 2, 0, 0, 0, 0, 0x50, 4, 0, 0, 0, 0, 0, 0};
  const Octets datagram{0x9c, 0x40, 0, 53, 0, 11, 0, 0, 1, 2, 3};
  const Octets echo{8, 0, 0, 0, 0, 1, 0, 1, 'h', 'i'};
  Octets two = ip_framed(6, summed(6, syn, 16));
  const Octets second = ip_framed(6, summed(6, rst, 16));
  two.insert(two.end(), second.begin(), second.end());
  return {two, ip_framed(17, summed(17, datagram, 6)), ip_framed(1, summed(1, echo, 2)),
          framed({0,   1,  8, 0, 6, 4, 0, 1, 2, 0, 0,   0,  0, 2,
                  198, 18, 0, 2, 0, 0, 0, 0, 0, 0, 198, 18, 0, 1},
                 0x0806)};
}

}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pollux::fuzz::Input input(data, size);
  pollux::fuzz::run(pollux::fuzz::world(), input);
  return 0;
}
