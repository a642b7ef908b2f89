// main.cc - runs the programs of one seed after the other on the kernel and on Pollux; shrinks what
// differs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "tests/twin/random/generate.h"
#include "tests/twin/random/shrink.h"

namespace pollux::twin {
namespace {

// Connections in TIME-WAIT pile up on both sides; new processes have none.
constexpr uint64_t kProgramsPerProcess = 300;
constexpr uint64_t kCallsPerReport = 100'000;
constexpr int kMostDifferences = 5;  // then the rest can wait until these are mended
constexpr int kTrials = 3;
constexpr unsigned long long kProgramsPerChance = 2000;  // more often it is no chance (rules.h)

// Where a run stands: what --state keeps.
struct Progress {
  unsigned long long seed = 1, calls = 0, programs = 0;
  int differences = 0, chances = 0;
};

struct Options {
  std::string config, state;
  unsigned long long seed = 1, calls = 200'000;
};

bool load(const std::string& file, Progress& progress) {
  FILE* in = file.empty() ? nullptr : fopen(file.c_str(), "r");
  if (!in) return false;
  const int fields =
      fscanf(in, "seed %llu calls %llu programs %llu differences %d chances %d", &progress.seed,
             &progress.calls, &progress.programs, &progress.differences, &progress.chances);
  fclose(in);
  return fields == 5;
}

// Under another name first: whoever ends the run at any time leaves a whole file.
void save(const std::string& file, const Progress& progress) {
  if (file.empty()) return;
  const std::string written = file + ".new";
  FILE* out = fopen(written.c_str(), "w");
  if (!out) return ::perror(written.c_str());
  fprintf(out, "seed %llu calls %llu programs %llu differences %d chances %d\n", progress.seed,
          progress.calls, progress.programs, progress.differences, progress.chances);
  fclose(out);
  rename(written.c_str(), file.c_str());
}

class Run {
 public:
  Run(const Calls& kernel, const Calls& pollux, const Options& options)
      : options_(options), kernel_(kernel, ""), pollux_(pollux, options.config) {
    progress_.seed = options.seed;
    if (load(options.state, progress_)) {
      printf("continues with seed %llu after %llu calls\n", progress_.seed, progress_.calls);
    }
  }

  int run() {
    if (!may_start()) return 0;
    unsigned long long reported = progress_.calls;
    int found = 0;
    for (; progress_.calls < options_.calls && found < kMostDifferences; ++progress_.seed) {
      if (progress_.programs % kProgramsPerProcess == 0) start_anew();
      found += try_seed();
      if (progress_.calls < reported + kCallsPerReport) continue;
      reported = progress_.calls;
      report(progress_.seed + 1);
    }
    report(progress_.seed);
    const auto allowed = static_cast<int>(1 + progress_.programs / kProgramsPerChance);
    const int failed = progress_.differences + (progress_.chances > allowed ? 1 : 0);
    printf("%d passed, %d failed, 0 skipped\n", failed == 0 ? 1 : 0, failed);
    return failed > 0 ? 1 : 0;
  }

 private:
  bool may_start() {
    kernel_.begin({});
    if (kernel_.finish().end.empty()) return true;
    printf("the kernel's side needs a network namespace of its own\n");
    printf("0 passed, 0 failed, 1 skipped\n");
    return false;
  }

  void start_anew() {
    kernel_.stop();
    pollux_.stop();
  }

  void report(unsigned long long next_seed) {
    Progress next = progress_;
    next.seed = next_seed;
    printf("%llu calls in %llu programs, %d differences, %d by chance; next seed %llu\n",
           next.calls, next.programs, next.differences, next.chances, next.seed);
    fflush(stdout);
    save(options_.state, next);
  }

  // How many differences: 0 or 1.
  int try_seed() {
    const Program program = generate(progress_.seed);
    const auto difference = compare(kernel_, pollux_, program);
    progress_.calls += program.ops.size();
    ++progress_.programs;
    if (!difference) return 0;
    const bool is_real = show(*difference);
    ++(is_real ? progress_.differences : progress_.chances);
    return is_real ? 1 : 0;
  }

  // False: it did not happen again.
  bool show(const Difference& first) {
    std::optional<Difference> again;
    for (int trial = 0; trial < kTrials && !again; ++trial) {
      start_anew();
      again = compare(kernel_, pollux_, first.program);
    }
    if (again) again = shrink(kernel_, pollux_, *again);
    printf("---- seed %llu%s\n%s----\n", progress_.seed, again ? "" : ", not again",
           to_c(again ? *again : first).c_str());
    fflush(stdout);
    return again.has_value();
  }

  const Options options_;
  SideProcess kernel_, pollux_;
  Progress progress_;
};

}  // namespace
}  // namespace pollux::twin

int main(int argc, char** argv) {
  pollux::twin::Options options;
  for (int i = 1; i < argc; ++i) {
    if (i + 1 == argc) {
      argc = 0;
    } else if (strcmp(argv[i], "--config") == 0) {
      options.config = argv[++i];
    } else if (strcmp(argv[i], "--seed") == 0) {
      options.seed = strtoull(argv[++i], nullptr, 10);
    } else if (strcmp(argv[i], "--calls") == 0) {
      options.calls = strtoull(argv[++i], nullptr, 10);
    } else if (strcmp(argv[i], "--state") == 0) {
      options.state = argv[++i];
    } else {
      argc = 0;
    }
  }
  if (argc == 0) {
    fprintf(stderr, "usage: %s [--config FILE] [--seed N] [--calls N] [--state FILE]\n", argv[0]);
    return 2;
  }
  return pollux::twin::Run(pollux::twin::kernel_calls(), *pollux::twin::pollux_calls(), options)
      .run();
}
