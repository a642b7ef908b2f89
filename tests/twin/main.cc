// main.cc - the twin report: every case on the kernel and on Pollux, compared line by line.
#include <stdio.h>
#include <string.h>

#include <string>

#include "tests/twin/accounting.h"
#include "tests/twin/deviations.h"

namespace pollux::twin {
namespace {

struct Options {
  std::string config;
  std::string only;  // a number or its beginning: "4", "4.3"
  bool kernel_only = false;
  bool is_verbose = false;  // shows the observations of cases that agree, too
};

struct Totals {
  int same = 0, deviations = 0, different = 0, kernel_wrong = 0;
};

std::vector<Case> all_cases(const std::string& only) {
  std::vector<Case> all;
  for (const auto part : {create_cases(), ctl_cases(),       wait_cases(),      level_cases(),
                          edge_cases(),   lifetime_cases(),  signal_cases(),    poll_cases(),
                          select_cases(), tcp_state_cases(), tcp_data_cases(),  tcp_wakeup_cases(),
                          udp_cases(),    waiters_cases(),   exclusive_cases(), nested_cases(),
                          close_cases(),  processes_cases(), stop_cases(),      mixed_cases(),
                          flood_cases(),  model_cases(),     random_cases(),    busy_poll_cases(),
                          limits_cases(), fast_open_cases()}) {
    for (const Case& one : part) {
      if (std::string_view(one.number).starts_with(only)) all.push_back(one);
    }
  }
  return all;
}

const Deviation* find_deviation(std::string_view number) {
  for (const Deviation& deviation : kDeviations) {
    if (!number.empty() && deviation.number == number) return &deviation;
  }
  return nullptr;
}

bool is_as_wanted(const Case& one, const Outcome& outcome) {
  if (outcome.end != one.end) return false;
  for (const Observation& o : outcome.observations) {
    if (o.got != o.wanted) return false;
  }
  return !outcome.end.empty() || !outcome.observations.empty();
}

bool are_same(const Case& one, const Outcome& a, const Outcome& b) {
  if (a.end != one.end || b.end != one.end || a.observations.size() != b.observations.size()) {
    return false;
  }
  for (size_t i = 0; i < a.observations.size(); ++i) {
    const Observation &x = a.observations[i], &y = b.observations[i];
    if (x.label != y.label || x.got != y.got) return false;
  }
  return true;
}

void print_observations(const Outcome& kernel, const Outcome* pollux, bool all) {
  for (size_t i = 0; i < kernel.observations.size(); ++i) {
    const Observation& k = kernel.observations[i];
    const bool has_pollux = pollux && i < pollux->observations.size();
    const std::string p = has_pollux ? pollux->observations[i].got : "(nothing)";
    if (k.got != k.wanted) {
      printf("        %s: kernel %s, wanted %s\n", k.label.c_str(), k.got.c_str(),
             k.wanted.c_str());
    }
    if (pollux && (all || p != k.got)) {
      printf("        %s: kernel %s, Pollux %s\n", k.label.c_str(), k.got.c_str(), p.c_str());
    } else if (!pollux && all) {
      printf("        %s: kernel %s\n", k.label.c_str(), k.got.c_str());
    }
  }
  if (!kernel.end.empty()) printf("        kernel: %s\n", kernel.end.c_str());
  if (pollux && !pollux->end.empty()) printf("        Pollux: %s\n", pollux->end.c_str());
}

void report(const Case& one, const Outcome& kernel, const Outcome* pollux, bool is_verbose,
            Totals& totals) {
  const bool kernel_right = is_as_wanted(one, kernel);
  const bool same = !pollux || are_same(one, kernel, *pollux);
  const Deviation* deviation = same ? nullptr : find_deviation(one.number);
  totals.kernel_wrong += !kernel_right;
  totals.same += same;
  totals.deviations += deviation != nullptr;
  totals.different += !same && !deviation;
  const char* verdict = deviation ? "deviates" : same ? "same" : "DIFFERENT";
  printf("%-7s kernel %-6s Pollux %-10s %s\n", one.number, kernel_right ? "ok" : "WRONG",
         pollux ? verdict : "-", one.text);
  if (deviation) printf("        decided: %s\n", std::string(deviation->reason).c_str());
  if (is_verbose || !kernel_right || !same) print_observations(kernel, pollux, is_verbose);
}

// False: some of the list's lines are nowhere, or not where elsewhere.h says.
bool report_account(const Account& account) {
  for (const Elsewhere& line : account.elsewhere) {
    printf("%-7s no case: %s\n", std::string(line.number).c_str(), std::string(line.where).c_str());
  }
  for (const std::string& complaint : account.complaints) printf("WRONG   %s\n", complaint.c_str());
  printf("lines: %d of the list, %d with a case, %zu elsewhere, %zu wrong\n", account.lines,
         account.with_case, account.elsewhere.size(), account.complaints.size());
  return account.complaints.empty();
}

int run(const Options& options) {
  const std::vector<Case> cases = all_cases(options.only);
  const std::vector<Outcome> kernel = run_side(kernel_calls(), "", cases);
  const Calls* other = options.kernel_only ? nullptr : pollux_calls();
  std::vector<Outcome> pollux;
  if (other) pollux = run_side(*other, options.config, cases);
  Totals totals;
  for (size_t i = 0; i < cases.size(); ++i) {
    report(cases[i], kernel[i], other ? &pollux[i] : nullptr, options.is_verbose, totals);
  }
  int failed = totals.different + totals.kernel_wrong;
  int checks = static_cast<int>(cases.size());
  if (options.only.empty()) {
    ++checks;
    failed += !report_account(account(cases, kernel));
  }
  printf("%d passed, %d failed, 0 skipped\n", checks > failed ? checks - failed : 0, failed);
  if (other) {
    printf("twin: %d same, %d deviations, %d different of %d\n", totals.same, totals.deviations,
           totals.different, static_cast<int>(cases.size()));
  }
  return failed > 0 || cases.empty() ? 1 : 0;
}

}  // namespace
}  // namespace pollux::twin

int main(int argc, char** argv) {
  pollux::twin::Options options;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--kernel") == 0) {
      options.kernel_only = true;
    } else if (strcmp(argv[i], "--verbose") == 0) {
      options.is_verbose = true;
    } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
      options.config = argv[++i];
    } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      options.only = argv[++i];
    } else {
      fprintf(stderr, "usage: %s [--kernel] [--verbose] [--config FILE] [--only NUMBER]\n",
              argv[0]);
      return 2;
    }
  }
  return pollux::twin::run(options);
}
