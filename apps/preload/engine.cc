// engine.cc - dlopen of libpollux, its start, and the numbers it takes.
#include "apps/preload/engine.h"

#include <dlfcn.h>

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "apps/preload/calls.h"
#include "apps/preload/environment.h"
#include "apps/preload/preload.h"
#include "apps/preload/privileges.h"
#include "apps/preload/undecided.h"

namespace pollux::preload {
namespace {

enum class State : std::uint8_t { never, waiting, running, failed };

Engine calls;
std::atomic<State> state{State::never};
std::mutex start_mutex;
bool is_copy_needed = false;  // DPDK starts once, and the copy in memory is the parent's
int device_bell = -1;
int early_config = -1;
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
  if (owner_of(number) != Owner::moving) set_owner(number, Owner::stack);
  return number;
}

void give_back(int number) {
  set_owner(number, Owner::kernel);
  libc().close(number);
}

// The loader takes a file with another inode for another library: a copy brings all that Pollux and
// DPDK keep in memory anew, where theirs is the parent's. The process's number makes the name
// unique among its ancestors', by which the loader asks first.
std::string copied(const std::string& path) {
  const int from = libc().open64(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int to = memfd_create("libpollux", MFD_CLOEXEC);
  struct stat status;
  if (from < 0 || to < 0 || libc().fstat(from, &status) != 0) return {};
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t n = libc().sendfile(to, from, nullptr, static_cast<std::size_t>(left));
    if (n <= 0) return {};
    left -= n;
  }
  libc().close(from);
  char name[64];
  std::snprintf(name, sizeof name, "/proc/%d/fd/%d", static_cast<int>(getpid()), to);
  return name;
}

std::string library_path() {
  const std::string& path = environment().library;
  return path.empty() ? "libpollux.so.0" : path;
}

const char* open_library() {
  if (calls.init && !is_copy_needed) return nullptr;
  std::string path = library_path();
  Dl_info parents{};
  if (is_copy_needed && dladdr(reinterpret_cast<void*>(calls.init), &parents) != 0) {
    path = copied(parents.dli_fname);
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW);
  if (!library) return dlerror();
#define PRELOAD_FIND(name)                                                           \
  calls.name = reinterpret_cast<decltype(calls.name)>(dlsym(library, "plx_" #name)); \
  if (!calls.name) return dlerror();
  PRELOAD_ENGINE_CALLS(PRELOAD_FIND)
#undef PRELOAD_FIND
  return nullptr;
}

// The folders on the way to the file may be closed to this user by now.
std::string config_path() {
  if (early_config < 0) return environment().config;
  char name[32];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", early_config);
  return name;
}

int init() {
  std::vector<const char*> pointers;
  for (const std::string& setting : environment().settings) pointers.push_back(setting.c_str());
  pointers.push_back("stack.threads=shared");  // which thread does what is the program's affair
  pointers.push_back(nullptr);
  const RaisedCapabilities raised;
  return calls.init(config_path().c_str(), pointers.data());
}

State start() {
  if (const char* error = open_library()) {
    say("the stack cannot be loaded: ", error);
    return State::failed;
  }
  is_copy_needed = false;
  static constexpr plx_numbers kNumbersOfProcess{take, give_back};
  calls.use_numbers(&kNumbersOfProcess);
  if (init() == 0) return State::running;
  if (errno == EBUSY) return State::waiting;
  say("the stack did not start: ", calls.error());
  say("`pollux doctor` with the same options says what this machine needs");
  return State::failed;
}

void become(State next) {
  if (next != State::waiting) give_up_capabilities();
  state.store(next, std::memory_order_release);
  if (next == State::running) {
    catch_deadly_signals();
    wake_dormant();
  }
}

// A thread of ours, while a device is another process's.
void* await_device(void*) {
  for (;;) {
    calls.await_device();
    const std::lock_guard lock(start_mutex);
    const State next = start();
    if (next == State::waiting) continue;
    become(next);
    const std::uint64_t one = 1;
    static_cast<void>(libc().write(waiting_bell(), &one, sizeof one));
    return nullptr;
  }
}

void begin_to_wait() {
  say(calls.error(), " until that ends: waiting for it");
  device_bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pthread_t thread;
  if (pthread_create(&thread, nullptr, await_device, nullptr) == 0) {
    pthread_detach(thread);
    return;
  }
  say("no thread can wait for it");
  become(State::failed);
}

}  // namespace

const Engine& engine() { return calls; }

bool engine_runs() { return state.load(std::memory_order_acquire) == State::running; }

bool start_engine() {
  if (engine_runs()) return true;
  const Inside inside;  // a handler might fork, for which the mutex is taken
  const std::lock_guard lock(start_mutex);
  if (state == State::never) {
    become(start());
    if (engine_waits()) begin_to_wait();
  }
  if (engine_runs()) return true;
  errno = ENETDOWN;
  return false;
}

void open_early() {
  const Inside inside;
  const std::lock_guard lock(start_mutex);
  if (state != State::never) return;
  static_cast<void>(open_library());  // why not is said when it is needed
  const std::string& config = environment().config;
  if (!config.empty() && early_config < 0)
    early_config = open(config.c_str(), O_RDONLY | O_CLOEXEC);
}

bool engine_waits() { return state.load(std::memory_order_acquire) == State::waiting; }
int waiting_bell() { return device_bell; }

void leave_stack() {
  if (!engine_runs()) return;
  const Inside inside;
  calls.leave();
}

void lock_engine() { start_mutex.lock(); }
void unlock_engine() { start_mutex.unlock(); }

void lose_engine() {
  is_copy_needed = is_copy_needed || engine_runs() || state == State::failed;
  state = State::never;
  early_config = -1;  // closed, with all that is ours
}

OfferedNumber::OfferedNumber(int number) { offered_number = number; }
OfferedNumber::~OfferedNumber() { offered_number = -1; }

CloseOnExecPlaceholders::CloseOnExecPlaceholders(bool wanted) { is_close_on_exec = wanted; }
CloseOnExecPlaceholders::~CloseOnExecPlaceholders() { is_close_on_exec = false; }

}  // namespace pollux::preload
