// cancel_test.cc - pthread_cancel of threads in every call that may block, on both sides alike.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/preload/pairs.h"

extern "C" [[gnu::weak]] void __lsan_disable();
extern "C" [[gnu::weak]] void __lsan_enable();

namespace preload_test {
namespace {

// What a call is made on: nothing can be read, nothing can be written any more, nobody connects,
// and a connection gets no answer.
class Nothing {
 public:
  explicit Nothing(Side side) : side_(side), quiet(connected(side)), full(connected(side)) {
    const int small = 4096;
    setsockopt(full.client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const std::string text(65536, 'x');
    while (send(full.client, text.data(), text.size(), MSG_DONTWAIT) > 0) {
    }
    epoll_event event{.events = EPOLLIN, .data = {}};
    EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, quiet.server, &event), 0);
    fill_backlog();
    open_pipe(pipe);
    open_pipe(full_pipe);
    write_text(full_pipe[1], std::string(60'000, 'x'));
  }
  sockaddr_in busy_address() const { return name_of(busy_listener); }

 private:
  const Side side_;

 public:
  Pair quiet, full;
  const Fd listener = listening(side_);
  const Fd set{epoll_create1(0)};
  const Fd busy_listener = bound(side_, SOCK_STREAM);
  const Fd connecting{socket(AF_INET, SOCK_STREAM, 0)};
  Fd pipe[2], full_pipe[2];

 private:
  // Linux drops what does not fit: more connections find no answer.
  void fill_backlog() {
    EXPECT_EQ(listen(busy_listener, 0), 0);
    sockaddr_in to = busy_address();
    for (Fd& fd : backlog_) {
      fd = Fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      connect(fd, as_sockaddr(to), sizeof to);
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, 20);
    }
  }
  static void open_pipe(Fd* ends) {
    int numbers[2];
    EXPECT_EQ(::pipe(numbers), 0);
    ends[0] = Fd(numbers[0]);
    ends[1] = Fd(numbers[1]);
  }
  Fd backlog_[3];
};

struct Call {
  const char* name;
  void (*make)(const Nothing&);
};

char octets[65536];
iovec vector_of_all{octets, sizeof octets};

template <typename Function>
long with_message(Function function) {
  mmsghdr message{};
  message.msg_hdr.msg_iov = &vector_of_all;
  message.msg_hdr.msg_iovlen = 1;
  return function(message);
}
template <typename Function>
void with_set(int fd, Function function) {
  fd_set fds;
  FD_ZERO(&fds);
  FD_SET(fd, &fds);
  function(fd + 1, &fds);
}

epoll_event event_room[1];

const Call kCalls[] = {
    {"read", [](const Nothing& on) { static_cast<void>(!read(on.quiet.server, octets, 1)); }},
    {"readv", [](const Nothing& on) { readv(on.quiet.server, &vector_of_all, 1); }},
    {"preadv2", [](const Nothing& on) { preadv2(on.quiet.server, &vector_of_all, 1, -1, 0); }},
    {"recv", [](const Nothing& on) { recv(on.quiet.server, octets, 1, 0); }},
    {"recvfrom",
     [](const Nothing& on) { recvfrom(on.quiet.server, octets, 1, 0, nullptr, nullptr); }},
    {"recvmsg",
     [](const Nothing& on) {
       with_message([&](mmsghdr& m) { return recvmsg(on.quiet.server, &m.msg_hdr, 0); });
     }},
    {"recvmmsg",
     [](const Nothing& on) {
       with_message([&](mmsghdr& m) { return recvmmsg(on.quiet.server, &m, 1, 0, nullptr); });
     }},
    {"write",
     [](const Nothing& on) { static_cast<void>(!write(on.full.client, octets, sizeof octets)); }},
    {"writev", [](const Nothing& on) { writev(on.full.client, &vector_of_all, 1); }},
    {"pwritev2", [](const Nothing& on) { pwritev2(on.full.client, &vector_of_all, 1, -1, 0); }},
    {"send", [](const Nothing& on) { send(on.full.client, octets, sizeof octets, 0); }},
    {"sendto",
     [](const Nothing& on) { sendto(on.full.client, octets, sizeof octets, 0, nullptr, 0); }},
    {"sendmsg",
     [](const Nothing& on) {
       with_message([&](mmsghdr& m) { return sendmsg(on.full.client, &m.msg_hdr, 0); });
     }},
    {"sendmmsg",
     [](const Nothing& on) {
       with_message([&](mmsghdr& m) { return sendmmsg(on.full.client, &m, 1, 0); });
     }},
    {"splice_in",
     [](const Nothing& on) { splice(on.quiet.server, nullptr, on.pipe[1], nullptr, 9, 0); }},
    {"splice_empty",
     [](const Nothing& on) { splice(on.pipe[0], nullptr, on.quiet.server, nullptr, 9, 0); }},
    {"splice_out",
     [](const Nothing& on) {
       splice(on.full_pipe[0], nullptr, on.full.client, nullptr, 60'000, 0);
     }},
    {"accept", [](const Nothing& on) { accept(on.listener, nullptr, nullptr); }},
    {"accept4", [](const Nothing& on) { accept4(on.listener, nullptr, nullptr, SOCK_CLOEXEC); }},
    {"connect",
     [](const Nothing& on) {
       sockaddr_in to = on.busy_address();
       connect(on.connecting, as_sockaddr(to), sizeof to);
     }},
    {"poll",
     [](const Nothing& on) {
       pollfd fd{on.quiet.server, POLLIN, 0};
       poll(&fd, 1, -1);
     }},
    {"ppoll",
     [](const Nothing& on) {
       pollfd fd{on.quiet.server, POLLIN, 0};
       ppoll(&fd, 1, nullptr, nullptr);
     }},
    {"select",
     [](const Nothing& on) {
       with_set(on.quiet.server,
                [](int n, fd_set* fds) { select(n, fds, nullptr, nullptr, nullptr); });
     }},
    {"pselect",
     [](const Nothing& on) {
       with_set(on.quiet.server,
                [](int n, fd_set* fds) { pselect(n, fds, nullptr, nullptr, nullptr, nullptr); });
     }},
    {"epoll_wait", [](const Nothing& on) { epoll_wait(on.set, event_room, 1, -1); }},
    {"epoll_pwait", [](const Nothing& on) { epoll_pwait(on.set, event_room, 1, -1, nullptr); }},
    {"epoll_pwait2",
     [](const Nothing& on) { epoll_pwait2(on.set, event_room, 1, nullptr, nullptr); }},
};

// A thread that makes one call; what it did when it ended is noted.
struct Victim {
  const Nothing& on;
  void (*make)(const Nothing&);
  bool is_cancelled_before = false;
  std::atomic<bool> is_about_to_call{false};
  bool has_returned = false;
  bool has_cleaned_up = false;
};

void clean_up(void* given) { static_cast<Victim*>(given)->has_cleaned_up = true; }

void* make_call(void* given) {
  auto& victim = *static_cast<Victim*>(given);
  pthread_cleanup_push(clean_up, given);
  if (victim.is_cancelled_before) pthread_cancel(pthread_self());
  victim.is_about_to_call = true;
  victim.make(victim.on);
  victim.has_returned = true;
  pthread_cleanup_pop(0);
  return nullptr;
}

void wait_until(const std::atomic<bool>& flag) {
  while (!flag) usleep(100);
}
void sleep_ms(int ms) { usleep(static_cast<unsigned>(ms) * 1000); }

pthread_t started(void* (*run)(void*), void* argument) {
  pthread_t thread;
  EXPECT_EQ(pthread_create(&thread, nullptr, run, argument), 0);
  return thread;
}
// Within 5 s, or the test ends here.
void* result_of(pthread_t thread) {
  timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 5;
  void* result = nullptr;
  const int error = pthread_timedjoin_np(thread, &result, &limit);
  if (error != 0) ADD_FAILURE() << "the thread goes on: " << strerror(error);
  if (error != 0) std::_Exit(1);
  return result;
}

class CancelTest : public testing::TestWithParam<Side> {
 protected:
  const Nothing on{GetParam()};

  void expect_cancelled(const Call& call, Victim& victim, int after_ms) const {
    SCOPED_TRACE(call.name);
    const pthread_t thread = started(make_call, &victim);
    if (!victim.is_cancelled_before) {
      wait_until(victim.is_about_to_call);
      if (after_ms > 0) sleep_ms(after_ms);
      EXPECT_EQ(pthread_cancel(thread), 0);
    }
    EXPECT_EQ(result_of(thread), PTHREAD_CANCELED);
    EXPECT_TRUE(victim.has_cleaned_up);
    EXPECT_FALSE(victim.has_returned);
  }
};

TEST_P(CancelTest, a_call_that_sleeps_ends) {
  for (const Call& call : kCalls) {
    Victim victim{.on = on, .make = call.make};
    expect_cancelled(call, victim, 4);
  }
}

// At whatever instant of the call's way into its sleep.
TEST_P(CancelTest, at_any_instant) {
  for (int i = 0; i < 5; ++i) {
    for (const Call& call : kCalls) {
      Victim victim{.on = on, .make = call.make};
      expect_cancelled(call, victim, 0);
    }
  }
}

TEST_P(CancelTest, a_call_ends_before_it_begins) {
  for (const Call& call : kCalls) {
    Victim victim{.on = on, .make = call.make, .is_cancelled_before = true};
    expect_cancelled(call, victim, 0);
  }
}

// Calls that never block are cancellation points all the same.
TEST_P(CancelTest, a_call_that_need_not_sleep_ends_too) {
  write_text(on.quiet.client, "ready");
  const Call ready[] = {
      kCalls[0],
      {"recv_dontwait", [](const Nothing& of) { recv(of.listener, octets, 1, MSG_DONTWAIT); }},
      {"poll_at_once",
       [](const Nothing& of) {
         pollfd fd{of.quiet.server, POLLIN, 0};
         poll(&fd, 1, 0);
       }},
      {"pread",
       [](const Nothing& of) { static_cast<void>(!pread(of.quiet.server, octets, 1, 0)); }},
      {"fsync", [](const Nothing& of) { fsync(of.quiet.server); }},
      {"close", [](const Nothing& of) { close(of.quiet.server); }},
  };
  for (const Call& call : ready) {
    Victim victim{.on = on, .make = call.make, .is_cancelled_before = true};
    expect_cancelled(call, victim, 0);
  }
  EXPECT_EQ(read_text(on.quiet.server, 5), "ready") << "nothing was taken, nothing closed";
}

TEST_P(CancelTest, other_calls_go_on) {
  const auto make = [](const Nothing& of) {
    int value = 0;
    socklen_t length = sizeof value;
    getsockopt(of.quiet.server, SOL_SOCKET, SO_TYPE, &value, &length);
    listen(of.listener, 8);
    lseek(of.quiet.server, 0, SEEK_CUR);
    name_of(of.quiet.server);
  };
  Victim victim{.on = on, .make = make, .is_cancelled_before = true};
  EXPECT_EQ(result_of(started(make_call, &victim)), nullptr);
  EXPECT_TRUE(victim.has_returned);
}

// The thread does not want to be cancelled, until it does.
void* read_undisturbed(void* given) {
  auto& victim = *static_cast<Victim*>(given);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  victim.is_about_to_call = true;
  victim.has_returned = read(victim.on.quiet.server, octets, 1) == 1;
  pollfd fd{victim.on.quiet.server, POLLIN, 0};
  victim.has_returned = victim.has_returned && poll(&fd, 1, 20) == 0;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  pthread_cleanup_push(clean_up, given);
  read(victim.on.quiet.server, octets, 1) == 1 ? void() : void();
  pthread_cleanup_pop(0);
  return nullptr;
}

TEST_P(CancelTest, only_when_the_thread_allows_it) {
  Victim victim{.on = on, .make = nullptr};
  const pthread_t thread = started(read_undisturbed, &victim);
  wait_until(victim.is_about_to_call);
  sleep_ms(10);
  EXPECT_EQ(pthread_cancel(thread), 0);
  sleep_ms(10);
  write_text(on.quiet.client, "x");
  EXPECT_EQ(result_of(thread), PTHREAD_CANCELED);
  EXPECT_TRUE(victim.has_returned) << "while it was disabled the calls went on";
  EXPECT_TRUE(victim.has_cleaned_up);
}

// What a thread does on its way out is no longer disturbed.
void say_goodbye(void* given) {
  auto& victim = *static_cast<Victim*>(given);
  pollfd fd{victim.on.quiet.server, POLLIN, 0};
  victim.has_cleaned_up = poll(&fd, 1, 10) == 0;
  write_text(victim.on.quiet.server, "goodbye");
  victim.has_cleaned_up =
      victim.has_cleaned_up && read_text(victim.on.quiet.client, 7) == "goodbye";
}
void* read_and_say_goodbye(void* given) {
  auto& victim = *static_cast<Victim*>(given);
  pthread_cleanup_push(say_goodbye, given);
  victim.is_about_to_call = true;
  victim.make(victim.on);
  pthread_cleanup_pop(0);
  return nullptr;
}

TEST_P(CancelTest, a_cleanup_handler_may_call_again) {
  Victim victim{.on = on, .make = kCalls[0].make};
  const pthread_t thread = started(read_and_say_goodbye, &victim);
  wait_until(victim.is_about_to_call);
  sleep_ms(10);
  EXPECT_EQ(pthread_cancel(thread), 0);
  EXPECT_EQ(result_of(thread), PTHREAD_CANCELED);
  EXPECT_TRUE(victim.has_cleaned_up);
}

// A spin is not a sleep: busy polling, for longer than the test waits before it cancels.
TEST_P(CancelTest, a_call_that_spins_ends) {
  const int spin_us = 50'000;
  EXPECT_EQ(setsockopt(on.quiet.server, SOL_SOCKET, SO_BUSY_POLL, &spin_us, sizeof spin_us), 0);
  Victim victim{.on = on, .make = kCalls[0].make};
  expect_cancelled(kCalls[0], victim, 10);
}

// A set that a thread was cancelled in serves the others as before.
TEST_P(CancelTest, a_set_and_a_socket_stay_usable) {
  for (const Call& call : kCalls) {
    Victim victim{.on = on, .make = call.make};
    expect_cancelled(call, victim, 2);
  }
  write_text(on.quiet.client, "x");
  EXPECT_EQ(epoll_wait(on.set, event_room, 1, 5000), 1);
  EXPECT_EQ(read_text(on.quiet.server, 1), "x");
  EXPECT_EQ(epoll_wait(on.set, event_room, 1, 0), 0);
  const Pair more = connected(GetParam());
  write_text(more.client, "works");
  EXPECT_EQ(read_text(more.server, 5), "works");
}

// Cancelled in the kernel's half of a set, which then gets the stack's half.
TEST_P(CancelTest, a_set_that_is_the_kernels_until_later) {
  static int epfd;
  const Fd set(epoll_create1(0));
  epfd = set;
  const auto make = [](const Nothing&) { epoll_wait(epfd, event_room, 1, -1); };
  Victim victim{.on = on, .make = make};
  expect_cancelled({"epoll_wait", make}, victim, 10);
  epoll_event event{.events = EPOLLIN, .data = {}};
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, on.quiet.server, &event), 0);
  EXPECT_EQ(epoll_wait(set, event_room, 1, 20), 0) << "no bell rings for it";
}

// The last destructors of a thread run when the sleeper of its calls is gone. They get another,
// which is not given back (epoll/event_fd.cc): LeakSanitizer, where it is, need not know.
struct LastWords {
  const Pair* pair = nullptr;
  ~LastWords() {
    if (!pair) return;
    if (__lsan_disable) __lsan_disable();
    pollfd fd{pair->server, POLLIN, 0};
    EXPECT_EQ(poll(&fd, 1, 5), 0);
    write_text(pair->client, "x");
    EXPECT_EQ(read_text(pair->server, 1), "x");
    if (__lsan_enable) __lsan_enable();
  }
};

TEST_P(CancelTest, a_destructor_may_call_when_its_thread_ends) {
  const auto run = [](void* given) -> void* {
    static thread_local LastWords last;
    last.pair = static_cast<const Pair*>(given);
    pollfd fd{last.pair->server, POLLIN, 0};
    EXPECT_EQ(poll(&fd, 1, 5), 0);
    return nullptr;
  };
  EXPECT_EQ(result_of(started(run, const_cast<Pair*>(&on.quiet))), nullptr);
}

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 4096; ++fd) {
    count += access(("/proc/self/fd/" + std::to_string(fd)).c_str(), F_OK) == 0;
  }
  return count;
}

TEST_P(CancelTest, threads_leave_no_descriptors_behind) {
  const int before = open_descriptors();
  for (int i = 0; i < 4; ++i) {
    Victim victim{.on = on, .make = kCalls[0].make};
    expect_cancelled(kCalls[0], victim, 2);
    const auto peek = [](const Nothing& of) { recv(of.quiet.server, octets, 1, MSG_DONTWAIT); };
    Victim other{.on = on, .make = peek};
    EXPECT_EQ(result_of(started(make_call, &other)), nullptr);
  }
  EXPECT_LT(open_descriptors(), before + 4) << "of 8 threads";
}

void leave_well(void*) { _exit(0); }

// The thread that forked has slept in its parent's stack; in the child it sleeps in another.
TEST_P(CancelTest, the_thread_that_forked_in_its_child) {
  const pid_t child = fork();
  if (child == 0) {
    const Pair own = connected(GetParam());
    const pthread_t sleeper = pthread_self();
    std::thread([sleeper] {
      usleep(20'000);
      pthread_cancel(sleeper);
    }).detach();
    pthread_cleanup_push(leave_well, nullptr);
    read(own.server, octets, 1);
    pthread_cleanup_pop(0);
    _exit(1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

INSTANTIATE_TEST_SUITE_P(Sides, CancelTest, testing::Values(Side::kernel, Side::stack),
                         [](const auto& tested) {
                           return tested.param == Side::kernel ? "kernel" : "stack";
                         });

}  // namespace
}  // namespace preload_test
