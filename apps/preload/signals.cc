// signals.cc - sigaction and signal, interposed; which handlers run when.
#include "apps/preload/signals.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <iterator>

#include "apps/preload/calls.h"
#include "apps/preload/engine.h"
#include "apps/preload/preload.h"
#include "apps/preload/rules.h"

namespace pollux::preload {
namespace {

constexpr int kSignals = 65;  // Linux: _NSIG, counted from 1

using Handler = void (*)(int, siginfo_t*, void*);
// What the program has set; null: nothing, and ours stands there for what ends the process. One of
// the other kind is called with more arguments than it takes.
std::atomic<Handler> handlers[kSignals];
std::atomic<bool> wants_info[kSignals];  // set with SA_SIGINFO
thread_local siginfo_t kept_infos[kSignals];

std::uint64_t bit_of(int number) { return std::uint64_t{1} << (number - 1); }

// What ends a process without a word to its peers, unless the stack closes what is open before.
constexpr int kDeadly[] = {SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2};

bool is_deadly(int number) {
  return std::find(std::begin(kDeadly), std::end(kDeadly), number) != std::end(kDeadly);
}

bool is_fault(int number) {
  constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  return std::find(std::begin(kFaults), std::end(kFaults), number) != std::end(kFaults);
}

bool is_function(const struct sigaction& action) {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
         action.sa_handler != SIG_ERR;
}

struct sigaction action_of(int number) {
  struct sigaction action {};
  libc().sigaction(number, nullptr, &action);
  return action;
}

void count(int flags) { ++((flags & SA_RESTART) != 0 ? ran_with_restart : ran_without_restart); }

// As the kernel does it, but for the farewell.
void end_process(int number) {
  leave_stack();
  struct sigaction action {};
  libc().sigaction(number, &action, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  raise(number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

void handle(int number, siginfo_t* info, void* context) {
  const Handler handler = handlers[number].load(std::memory_order_acquire);
  handler ? handler(number, info, context) : end_process(number);
}

// In place of every handler of the program's.
void on_signal(int number, siginfo_t* info, void* context) {
  if (is_inside() && !is_fault(number)) {
    kept_infos[number - 1] = *info;
    kept_signals = kept_signals | bit_of(number);
    return;
  }
  const int error = errno;
  count(action_of(number).sa_flags);
  errno = error;
  handle(number, info, context);
}

// With the mask that the kernel would have set.
void run_kept(int number) {
  siginfo_t info = kept_infos[number - 1];
  const struct sigaction action = action_of(number);
  sigset_t before, during = action.sa_mask;
  if ((action.sa_flags & SA_NODEFER) == 0) sigaddset(&during, number);
  count(action.sa_flags);
  pthread_sigmask(SIG_BLOCK, &during, &before);
  kept_signals = kept_signals & ~bit_of(number);
  static ucontext_t no_context;
  handle(number, &info, &no_context);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

struct sigaction ours_for(const struct sigaction& wanted) {
  struct sigaction action = wanted;
  action.sa_sigaction = on_signal;
  action.sa_flags |= SA_SIGINFO;
  return action;
}

// What the program would have got back.
struct sigaction as_set(int number, struct sigaction action, Handler before) {
  if (action.sa_sigaction != on_signal) return action;
  if (!before) return {};
  action.sa_sigaction = before;
  if (!wants_info[number]) action.sa_flags &= ~SA_SIGINFO;
  return action;
}

// siginterrupt(3): signals whose signal(2) is without SA_RESTART.
std::atomic<std::uint64_t> interrupting{0};

sighandler_t set_handler(int number, sighandler_t handler, int flags) {
  struct sigaction wanted {
  }, before{};
  wanted.sa_handler = handler;
  wanted.sa_flags = flags;
  if ((flags & SA_NODEFER) == 0) sigaddset(&wanted.sa_mask, number);
  return sigaction(number, &wanted, &before) == 0 ? before.sa_handler : SIG_ERR;
}

}  // namespace

void catch_deadly_signals() {
  for (const int number : kDeadly) {
    if (action_of(number).sa_handler != SIG_DFL) continue;
    handlers[number] = nullptr;
    const struct sigaction action = ours_for({});
    libc().sigaction(number, &action, nullptr);
  }
}

void run_kept_signals() {
  const int error = errno;
  while (const std::uint64_t kept = kept_signals) run_kept(std::countr_zero(kept) + 1);
  errno = error;
}

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace pollux::preload

using namespace pollux::preload;

INTERPOSED int sigaction(int number, const struct sigaction* wanted,
                         struct sigaction* before) noexcept {
  if (is_inside() || !has_rules() || number < 1 || number >= kSignals) {
    return libc().sigaction(number, wanted, before);
  }
  const Handler known = handlers[number];
  struct sigaction old {
  }, action{};
  const bool is_farewell = wanted && wanted->sa_handler == SIG_DFL && is_deadly(number);
  const bool is_ours = wanted && (is_function(*wanted) || (is_farewell && engine_runs()));
  if (is_ours) handlers[number] = is_farewell ? nullptr : wanted->sa_sigaction;
  if (is_ours) action = ours_for(*wanted);
  if (libc().sigaction(number, is_ours ? &action : wanted, &old) != 0) {
    handlers[number] = known;
    return -1;
  }
  if (before) *before = as_set(number, old, known);
  if (is_ours) wants_info[number] = (wanted->sa_flags & SA_SIGINFO) != 0;
  return 0;
}

INTERPOSED sighandler_t signal(int number, sighandler_t handler) noexcept {
  const bool interrupts = number > 0 && number < kSignals && (interrupting & bit_of(number)) != 0;
  return set_handler(number, handler, interrupts ? 0 : SA_RESTART);
}
INTERPOSED sighandler_t sysv_signal(int number, sighandler_t handler) noexcept {
  return set_handler(number, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}
INTERPOSED int siginterrupt(int number, int interrupts) noexcept {
  struct sigaction action {};
  if (sigaction(number, nullptr, &action) != 0) return -1;
  if (interrupts) {
    interrupting |= bit_of(number);
    action.sa_flags &= ~SA_RESTART;
  } else {
    interrupting &= ~bit_of(number);
    action.sa_flags |= SA_RESTART;
  }
  return sigaction(number, &action, nullptr);
}
