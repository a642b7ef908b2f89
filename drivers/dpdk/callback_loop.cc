// callback_loop.cc - a small epoll of callbacks, and the three functions of EAL it stands in for.
#define ALLOW_EXPERIMENTAL_API  // rte_intr_fd_get
#include "drivers/dpdk/callback_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "stack/base/check.h"

namespace pollux {
namespace {

thread_local CallbackLoop* current_loop = nullptr;

}  // namespace

CallbackLoop::CallbackLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { CHECK(epoll_ >= 0); }

// net_memif forgets its listening socket when its port goes: the address would stay in use.
CallbackLoop::~CallbackLoop() {
  for (const Source& source : sources_) close(source.fd);
  close(epoll_);
}

CallbackLoop::Scope::Scope(CallbackLoop& loop) : before_(current_loop) { current_loop = &loop; }

CallbackLoop::Scope::~Scope() { current_loop = before_; }

CallbackLoop* CallbackLoop::current() { return current_loop; }

bool CallbackLoop::watch(int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool CallbackLoop::run_one() {
  const Scope scope(*this);
  epoll_event events[4];  // at most two are watched only
  const int n = epoll_wait(epoll_, events, 4, 0);
  const epoll_event* end = events + std::max(n, 0);
  const epoll_event* due = std::find_if(static_cast<const epoll_event*>(events), end,
                                        [](auto& e) { return e.data.u64 != 0; });
  if (due == end) return false;
  call(due->data.u64);
  return true;
}

void CallbackLoop::call(std::uint64_t id) {
  Source* source = find(id);
  if (!source) return;
  source->is_active = true;
  source->callback(source->argument);
  source = find(id);
  if (!source) return;
  source->is_active = false;
  if (!source->is_leaving) return;
  const Source leaving = *source;
  erase(id);
  if (leaving.last) leaving.last(leaving.handle, leaving.argument);
}

int CallbackLoop::add(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                      void* argument) {
  const int fd = rte_intr_fd_get(handle);
  if (fd < 0 || !callback) return -EINVAL;
  const std::uint64_t id = next_id_++;
  epoll_event event{.events = EPOLLIN | EPOLLPRI | EPOLLRDHUP, .data = {.u64 = id}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  auto* mutable_handle = const_cast<rte_intr_handle*>(handle);
  sources_.push_back({id, mutable_handle, callback, argument, nullptr, fd, false, false});
  return 0;
}

int CallbackLoop::remove(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                         void* argument) {
  const Source* source = find(handle, callback, argument);
  if (!source) return -ENOENT;
  if (source->is_active) return -EAGAIN;
  erase(source->id);
  return 1;
}

int CallbackLoop::remove_later(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                               void* argument, rte_intr_unregister_callback_fn last) {
  Source* source = find(handle, callback, argument);
  if (!source) return -ENOENT;
  if (!source->is_active) return -EAGAIN;
  source->is_leaving = true;
  source->last = last;
  return 1;
}

CallbackLoop::Source* CallbackLoop::find(std::uint64_t id) {
  const auto found =
      std::find_if(sources_.begin(), sources_.end(), [id](const Source& s) { return s.id == id; });
  return found == sources_.end() ? nullptr : &*found;
}

CallbackLoop::Source* CallbackLoop::find(const rte_intr_handle* handle,
                                         rte_intr_callback_fn callback, void* argument) {
  const void* const any = reinterpret_cast<const void*>(std::intptr_t{-1});
  const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) {
    return s.handle == handle && s.callback == callback &&
           (argument == any || s.argument == argument);
  });
  return found == sources_.end() ? nullptr : &*found;
}

void CallbackLoop::erase(std::uint64_t id) {
  const Source* source = find(id);
  CHECK(source != nullptr);
  // The driver closes the descriptor afterwards; if it already has, there is nothing to take out.
  epoll_ctl(epoll_, EPOLL_CTL_DEL, source->fd, nullptr);
  sources_.erase(sources_.begin() + (source - sources_.data()));
}

}  // namespace pollux

extern "C" {

int pollux_intr_register(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                         void* argument) {
  if (auto* loop = pollux::CallbackLoop::current()) return loop->add(handle, callback, argument);
  return rte_intr_callback_register(handle, callback, argument);
}

int pollux_intr_unregister(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                           void* argument) {
  if (auto* loop = pollux::CallbackLoop::current()) {
    return loop->remove(handle, callback, argument);
  }
  return rte_intr_callback_unregister(handle, callback, argument);
}

int pollux_intr_unregister_pending(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                                   void* argument, rte_intr_unregister_callback_fn last) {
  if (auto* loop = pollux::CallbackLoop::current()) {
    return loop->remove_later(handle, callback, argument, last);
  }
  return rte_intr_callback_unregister_pending(handle, callback, argument, last);
}

}  // extern "C"
