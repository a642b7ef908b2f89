// doctor.cc - `pollux doctor`: the machine, whether a stack could start, and what to do, as text.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "apps/pollux/commands.h"
#include "apps/pollux/doctor_diagnosis.h"
#include "pollux/numbers.h"

namespace pollux::tool {
namespace {

const char* bold() { return isatty(STDOUT_FILENO) ? "\033[1m" : ""; }
const char* plain() { return isatty(STDOUT_FILENO) ? "\033[0m" : ""; }

void print_title(const std::string& title) { fmt::print("\n{}{}{}\n", bold(), title, plain()); }

void print_ways(const std::string& title, const Diagnosis& diagnosis) {
  print_title(title);
  for (const Way& way : diagnosis.ways) {
    fmt::print("  {}  {}\n", way.why_not.empty() ? "yes" : "no ", way.what);
    if (!way.why_not.empty()) fmt::print("       {}\n", way.why_not);
  }
}

void print_cards(const Machine& machine) {
  if (machine.cards.empty()) return;
  print_title("Network cards");
  for (const NetworkCard& card : machine.cards) {
    fmt::print("  {}\n", describe_card(machine, card));
  }
}

void print_steps(const std::string& title, const std::vector<Step>& steps) {
  if (steps.empty()) return;
  print_title(title);
  int number = 0;
  for (const Step& step : steps) {
    fmt::print("  {}. {}\n", ++number, step.what);
    for (const std::string& command : step.commands) fmt::print("       {}\n", command);
    if (!step.buys.empty()) fmt::print("     buys {}\n", step.buys);
  }
}

void print_in_order(const Diagnosis& diagnosis) {
  print_title("In order");
  std::string line = " ";
  for (const std::string& one : diagnosis.in_order) line += (line == " " ? " " : ", ") + one;
  fmt::print("{}\n", line);
}

// As the other commands take them.
std::string options_text(const StackOptions& stack) {
  std::string text = stack.tap ? "--tap " : "";
  if (!stack.config.empty()) text = "-c " + stack.config + " ";
  for (const std::string& setting : stack.settings) text += "--set '" + setting + "' ";
  return text;
}

}  // namespace

int doctor_main(const DoctorCommand& command) {
  const StackArguments arguments(command.stack);
  const char* needs = plx_needs(arguments.config(), arguments.settings());
  if (!needs) {
    fmt::print("The configuration is wrong, so no stack starts:\n  {}\n", plx_error());
    return 1;
  }
  const Machine machine = read_machine("");
  const Plan plan = parse_plan(needs, options_text(command.stack));
  const Diagnosis diagnosis = diagnose(machine, plan);
  fmt::print("Linux {}, {} processor{}, {} MB of memory\n", machine.kernel,
             machine.process.processors, machine.process.processors == 1 ? "" : "s",
             machine.memory_mb);
  if (plan.ports.empty()) {
    print_ways("What a stack could have here (pollux doctor -c FILE says how)", diagnosis);
  } else {
    print_ways("Could it start?", diagnosis);
  }
  if (plan.asks_for_cards()) print_cards(machine);
  print_steps("It does not start before", diagnosis.needed);
  print_steps(diagnosis.starts() ? "It starts. To do for speed, what matters most first"
                                 : "And for speed, what matters most first",
              diagnosis.advised);
  print_in_order(diagnosis);
  return diagnosis.starts() ? 0 : 1;
}

}  // namespace pollux::tool
