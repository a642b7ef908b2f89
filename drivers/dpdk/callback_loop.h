// callback_loop.h - DPDK's interrupt callbacks, run by the thread that moves the packets.
#pragma once

#include <rte_interrupts.h>

#include <cstdint>
#include <vector>

namespace pollux {

// net_memif handles its control socket in EAL's interrupt thread, which unmaps the rings of a dead
// peer while the data thread reads them. So its calls of rte_intr_callback_register() and of the
// two counterparts come here first (drivers/meson.build): what is registered inside a
// Scope belongs to that Scope's loop, and runs when the data thread calls run_one(); everything
// else goes on to EAL.
class CallbackLoop {
 public:
  CallbackLoop();
  CallbackLoop(const CallbackLoop&) = delete;
  CallbackLoop& operator=(const CallbackLoop&) = delete;
  // Closes the descriptors of what is still registered: the drivers are gone.
  ~CallbackLoop();

  // Around every call into a driver whose registrations shall come here.
  class Scope {
   public:
    explicit Scope(CallbackLoop& loop);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    CallbackLoop* before_;
  };
  static CallbackLoop* current();

  // Readable when run_one() has something to do.
  int fd() const { return epoll_; }
  // Also makes fd() readable when `fd` is; run_one() looks away from it.
  bool watch(int fd);
  // Calls back one that is due, without waiting; false: none was.
  bool run_one();

  bool empty() const { return sources_.empty(); }
  int add(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument);
  // As rte_intr_callback_unregister(): how many were removed, -ENOENT, -EAGAIN from within itself.
  int remove(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument);
  // Removes once the running callback has returned, after calling `last`.
  int remove_later(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument,
                   rte_intr_unregister_callback_fn last);

 private:
  struct Source {
    std::uint64_t id;
    rte_intr_handle* handle;
    rte_intr_callback_fn callback;
    void* argument;
    rte_intr_unregister_callback_fn last;
    int fd;
    bool is_active;
    bool is_leaving;
  };
  Source* find(std::uint64_t id);
  Source* find(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument);
  void call(std::uint64_t id);
  void erase(std::uint64_t id);

  int epoll_;
  std::uint64_t next_id_ = 1;  // 0 marks what watch() added
  std::vector<Source> sources_;
};

}  // namespace pollux

extern "C" {

// What drivers call by the names of EAL's.
int pollux_intr_register(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                         void* argument) asm("__wrap_rte_intr_callback_register");
int pollux_intr_unregister(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                           void* argument) asm("__wrap_rte_intr_callback_unregister");
int pollux_intr_unregister_pending(
    const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument,
    rte_intr_unregister_callback_fn last) asm("__wrap_rte_intr_callback_unregister_pending");

}  // extern "C"
