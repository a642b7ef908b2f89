// fuzz_libfuzzer.cc - gives libFuzzer our seeds without files: now and then a mutation starts from
// one.
#include <cstring>

#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  static const std::vector<pollux::fuzz::Octets> seeds = pollux::fuzz::seeds();
  if (seed % 32 == 0 || size <= 1) {
    const pollux::fuzz::Octets& chosen = seeds[seed / 32 % seeds.size()];
    size = std::min(chosen.size(), max);
    std::memcpy(data, chosen.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max);
}
