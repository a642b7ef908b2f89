// engine.cc - dlopen of libpollux, its start, and the numbers it takes.
#include "apps/preload/engine.h"

#include <dlfcn.h>

#include <cerrno>
#include <mutex>
#include <string>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/environment.h"
#include "apps/preload/preload.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

enum class State : std::uint8_t { never, running, failed, lost };

Engine calls;
std::atomic<State> state{State::never};
std::mutex start_mutex;
thread_local int offered_number = -1;
thread_local bool is_close_on_exec = false;

// A placeholder, or the number that somebody offers. EFD_NONBLOCK: a call that slips past us must
// not sleep on it.
int take() {
  int number = offered_number;
  offered_number = -1;
  if (number < 0) {
    const int flags = EFD_NONBLOCK | (is_close_on_exec ? EFD_CLOEXEC : 0);
    number = libc().eventfd(0, flags);
  }
  if (number >= 0) set_owner(number, Owner::stack);
  return number;
}

void give_back(int number) {
  set_owner(number, Owner::kernel);
  libc().close(number);
}

const char* open_library() {
  const std::string& path = environment().library;
  // Global, because DPDK's drivers, which it opens itself, must find libpollux's before its own.
  void* const library =
      dlopen(path.empty() ? "libpollux.so.0" : path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) return dlerror();
#define PRELOAD_FIND(name)                                                           \
  calls.name = reinterpret_cast<decltype(calls.name)>(dlsym(library, "plx_" #name)); \
  if (!calls.name) return dlerror();
  PRELOAD_ENGINE_CALLS(PRELOAD_FIND)
#undef PRELOAD_FIND
  return nullptr;
}

bool start() {
  if (const char* error = open_library()) {
    say("the stack cannot be loaded: ", error);
    return false;
  }
  static constexpr plx_numbers kNumbersOfProcess{take, give_back};
  calls.use_numbers(&kNumbersOfProcess);
  std::vector<const char*> pointers;
  for (const std::string& setting : environment().settings) pointers.push_back(setting.c_str());
  pointers.push_back("stack.threads=shared");  // which thread does what is the program's affair
  pointers.push_back(nullptr);
  if (calls.init(environment().config.c_str(), pointers.data()) == 0) return true;
  say("the stack did not start: ", calls.error());
  say("`pollux doctor` with the same options says what this machine needs");
  return false;
}

}  // namespace

const Engine& engine() { return calls; }

bool engine_runs() { return state.load(std::memory_order_acquire) == State::running; }

bool is_engines(const void* return_address) {
  Dl_info caller{}, library{};
  return engine_runs() && dladdr(return_address, &caller) != 0 &&
         dladdr(reinterpret_cast<void*>(calls.init), &library) != 0 &&
         caller.dli_fbase == library.dli_fbase;
}

bool start_engine() {
  if (engine_runs()) return true;
  const std::lock_guard lock(start_mutex);
  if (state == State::lost) {
    state = State::failed;
    say("this process was forked from one whose stack runs: it cannot have one of its own; "
        "its sockets answer ENETDOWN");
  }
  if (state == State::never) {
    const Inside inside;
    const int error = errno;
    state.store(start() ? State::running : State::failed, std::memory_order_release);
    errno = error;
  }
  if (engine_runs()) {
    catch_deadly_signals();
    wake_dormant();
    return true;
  }
  silence_dormant();
  errno = ENETDOWN;
  return false;
}

void leave_stack() {
  if (!engine_runs()) return;
  const Inside inside;
  calls.leave();
}

void lose_engine() {
  if (engine_runs()) state = State::lost;
}

OfferedNumber::OfferedNumber(int number) { offered_number = number; }
OfferedNumber::~OfferedNumber() { offered_number = -1; }

CloseOnExecPlaceholders::CloseOnExecPlaceholders(bool wanted) { is_close_on_exec = wanted; }
CloseOnExecPlaceholders::~CloseOnExecPlaceholders() { is_close_on_exec = false; }

}  // namespace pollux::preload
