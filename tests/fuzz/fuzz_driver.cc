// fuzz_driver.cc - mutates the seeds of an entry point for some seconds, without libFuzzer.
// Usage: fuzz-X [--seconds N] [--seed N] [--write DIR] [FILE...]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "stack/base/rng.h"
#include "tests/fuzz/fuzz.h"

extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace pollux::fuzz {
namespace {

constexpr std::size_t kMaxInput = 8192;
constexpr std::size_t kMaxCorpus = 4096;

const Octets* current = nullptr;

// The input that broke it, on one line; give it back as a file (xxd -r -p) to see it again.
void print_current() {
  if (current == nullptr) return;
  std::fputs("fuzz: the input was ", stderr);
  for (const unsigned octet : *current) std::fprintf(stderr, "%02x", octet);
  std::fputs("\n", stderr);
  std::fflush(stderr);
  current = nullptr;
}

void on_signal(int signal) {
  print_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Octets& input) {
  current = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  current = nullptr;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<Octets> corpus) : rng_(seed), corpus_(std::move(corpus)) {
    if (corpus_.empty()) corpus_.push_back({0});
  }
  Octets next() {
    Octets input = any();
    for (std::uint64_t n = 1 + rng_.below(6); n != 0; --n) mutate(input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    // Some are kept, so that changes add up.
    if (rng_.chance(0.01) && corpus_.size() < kMaxCorpus) corpus_.push_back(input);
    return input;
  }

 private:
  const Octets& any() { return corpus_[rng_.below(corpus_.size())]; }
  std::size_t place(const Octets& input) { return rng_.below(input.size() + 1); }
  static auto at(Octets& input, std::size_t n) { return input.begin() + static_cast<long>(n); }

  void mutate(Octets& input) {
    const std::size_t from = place(input), to = std::min(input.size(), from + rng_.below(16));
    switch (rng_.below(8)) {
      case 0:
      case 1:
        if (from < input.size()) input[from] ^= static_cast<std::uint8_t>(1u << rng_.below(8));
        break;
      case 2:
        if (from < input.size()) input[from] = interesting();
        break;
      case 3:
        for (std::size_t i = from; i < to; ++i) input[i] = static_cast<std::uint8_t>(rng_.next());
        break;
      case 4:
        input.erase(at(input, from), at(input, to));
        break;
      case 5:
        input.insert(at(input, from), rng_.below(9), interesting());
        break;
      case 6: {
        const Octets copy(at(input, from), at(input, to));
        input.insert(at(input, place(input)), copy.begin(), copy.end());
        break;
      }
      default:
        splice(input, from);
        break;
    }
  }
  void splice(Octets& input, std::size_t from) {
    const Octets other = any();
    input.resize(from);
    input.insert(input.end(), other.begin() + static_cast<long>(place(other)), other.end());
  }
  std::uint8_t interesting() {
    static constexpr std::uint8_t kValues[] = {0,  1,  2,  3,  4,  5,   6,   7,   8,   10,  14,
                                               15, 16, 20, 40, 60, 127, 128, 131, 254, 255, 0x45};
    return kValues[rng_.below(std::size(kValues))];
  }

  Rng rng_;
  std::vector<Octets> corpus_;
};

struct Arguments {
  unsigned long seconds = 2;
  unsigned long seed = 1;
  const char* write = nullptr;
  std::vector<const char*> files;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--seconds" && has_value) {
      arguments.seconds = std::strtoul(argv[++i], nullptr, 10);
    } else if (word == "--seed" && has_value) {
      arguments.seed = std::strtoul(argv[++i], nullptr, 10);
    } else if (word == "--write" && has_value) {
      arguments.write = argv[++i];
    } else {
      arguments.files.push_back(argv[i]);
    }
  }
  return arguments;
}

bool replay(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "fuzz: %s cannot be read\n", path);
    return false;
  }
  run(Octets(std::istreambuf_iterator<char>(file), {}));
  return true;
}

bool write_corpus(const std::string& folder) {
  int number = 0;
  for (const Octets& seed : seeds()) {
    std::ofstream file(folder + "/seed" + std::to_string(number++), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<long>(seed.size()));
    if (!file) return false;
  }
  return true;
}

double seconds_now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

int fuzz(const Arguments& arguments) {
  unsigned long executions = 0;
  for (const Octets& seed : seeds()) {
    run(seed);
    ++executions;
  }
  Mutator mutator(arguments.seed, seeds());
  const double end = seconds_now() + static_cast<double>(arguments.seconds);
  while (seconds_now() < end) {
    for (int i = 0; i < 64; ++i, ++executions) run(mutator.next());
  }
  std::printf("seed %lu: %lu executions\n1 passed, 0 failed, 0 skipped\n", arguments.seed,
              executions);
  return 0;
}

int main_of(const Arguments& arguments) {
  if (arguments.write != nullptr) return write_corpus(arguments.write) ? 0 : 1;
  for (const char* file : arguments.files) {
    if (!replay(file)) return 1;
  }
  return arguments.files.empty() ? fuzz(arguments) : 0;
}

}  // namespace
}  // namespace pollux::fuzz

int main(int argc, char** argv) {
  using namespace pollux::fuzz;  // NOLINT: main belongs to it
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(print_current);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(signal, on_signal);
  return main_of(parse(argc, argv));
}
