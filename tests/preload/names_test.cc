// names_test.cc - libc's calls under all their names, also those that no header has any more, on
// both sides alike. symbols_test.py sees to it that none is missing.
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstdarg>
#include <cstdio>

#include "tests/preload/pairs.h"

namespace preload_test {
namespace {

using NameTest = BothSides;
using Size = std::size_t;

// The function that a program which was linked long ago would call.
template <typename Function>
Function* named(const char* name) {
  void* const found = dlsym(RTLD_DEFAULT, name);
  EXPECT_NE(found, nullptr) << name;
  return reinterpret_cast<Function*>(found);
}

#define FOR_EACH(name, ...)              \
  for (const char* name : {__VA_ARGS__}) \
    if (testing::ScopedTrace trace(__FILE__, __LINE__, name); true)

char room[64];
const iovec vector_of_room{room, 4};

TEST_P(NameTest, reading) {
  const auto expect_one = [&](ssize_t n) { EXPECT_EQ(n, 4) << strerror(errno); };
  const auto send_one = [&] { write_text(pair.client, "text"); };
  FOR_EACH(name, "read", "__read") {
    send_one();
    expect_one(named<ssize_t(int, void*, Size)>(name)(pair.server, room, 4));
  }
  FOR_EACH(name, "recv", "__recv") {
    send_one();
    expect_one(named<ssize_t(int, void*, Size, int)>(name)(pair.server, room, 4, 0));
  }
  send_one();
  expect_one(named<ssize_t(int, void*, Size, Size)>("__read_chk")(pair.server, room, 4, 64));
  send_one();
  expect_one(
      named<ssize_t(int, void*, Size, Size, int)>("__recv_chk")(pair.server, room, 4, 64, 0));
  send_one();
  using RecvfromChk = ssize_t(int, void*, Size, Size, int, sockaddr*, socklen_t*);
  expect_one(named<RecvfromChk>("__recvfrom_chk")(pair.server, room, 4, 64, 0, nullptr, nullptr));
  using Vectors = ssize_t(int, const iovec*, int);
  send_one();
  expect_one(named<Vectors>("readv")(pair.server, &vector_of_room, 1));
  using VectorsAt = ssize_t(int, const iovec*, int, off_t, int);
  FOR_EACH(name, "preadv2", "preadv64v2") {
    send_one();
    expect_one(named<VectorsAt>(name)(pair.server, &vector_of_room, 1, -1, 0));
  }
}

TEST_P(NameTest, writing) {
  const auto expect_one = [&](ssize_t n) {
    EXPECT_EQ(n, 4) << strerror(errno);
    EXPECT_EQ(read_text(pair.server, 4), "text");
  };
  strcpy(room, "text");
  FOR_EACH(name, "write", "__write") {
    expect_one(named<ssize_t(int, const void*, Size)>(name)(pair.client, room, 4));
  }
  FOR_EACH(name, "send", "__send") {
    expect_one(named<ssize_t(int, const void*, Size, int)>(name)(pair.client, room, 4, 0));
  }
  using VectorsAt = ssize_t(int, const iovec*, int, off_t, int);
  FOR_EACH(name, "pwritev2", "pwritev64v2") {
    expect_one(named<VectorsAt>(name)(pair.client, &vector_of_room, 1, -1, 0));
  }
  mmsghdr message{};
  iovec piece = vector_of_room;
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  FOR_EACH(name, "sendmmsg", "__sendmmsg") {
    EXPECT_EQ(named<int(int, mmsghdr*, unsigned, int)>(name)(pair.client, &message, 1, 0), 1);
    expect_one(message.msg_len);
  }
  FOR_EACH(name, "sendfile", "sendfile64") {
    const Fd file(memfd_create("file", 0));
    write_text(file, "text");
    off_t at = 0;
    expect_one(named<ssize_t(int, int, off_t*, Size)>(name)(pair.client, file, &at, 4));
  }
}

void print_to(const char* name, int fd, ...) {
  va_list arguments;
  va_start(arguments, fd);
  if (name[1] == '_') {
    EXPECT_EQ(named<int(int, int, const char*, va_list)>(name)(fd, 1, "te%st", arguments), 4);
  } else {
    EXPECT_EQ(named<int(int, const char*, va_list)>(name)(fd, "te%st", arguments), 4);
  }
  va_end(arguments);
}

TEST_P(NameTest, printing) {
  EXPECT_EQ(named<int(int, const char*, ...)>("dprintf")(pair.client, "te%st", "x"), 4);
  EXPECT_EQ(named<int(int, int, const char*, ...)>("__dprintf_chk")(pair.client, 1, "te%st", "x"),
            4);
  FOR_EACH(name, "vdprintf", "__vdprintf_chk") { print_to(name, pair.client, "x"); }
  EXPECT_EQ(read_text(pair.server, 16), "texttexttexttext");
}

TEST_P(NameTest, there_is_no_place_to_seek_to) {
  FOR_EACH(name, "pread", "pread64", "__pread64") {
    EXPECT_ERRNO(named<decltype(pread)>(name)(pair.client, room, 4, 0), ESPIPE);
  }
  FOR_EACH(name, "__pread_chk", "__pread64_chk") {
    using Checked = ssize_t(int, void*, Size, off_t, Size);
    EXPECT_ERRNO(named<Checked>(name)(pair.client, room, 4, 0, 64), ESPIPE);
  }
  FOR_EACH(name, "pwrite", "pwrite64", "__pwrite64") {
    EXPECT_ERRNO(named<decltype(pwrite)>(name)(pair.client, room, 4, 0), ESPIPE);
  }
  FOR_EACH(name, "preadv", "preadv64", "pwritev", "pwritev64") {
    EXPECT_ERRNO(named<decltype(preadv)>(name)(pair.client, &vector_of_room, 1, 0), ESPIPE);
  }
  FOR_EACH(name, "lseek", "lseek64", "__lseek") {
    EXPECT_ERRNO(named<decltype(lseek)>(name)(pair.client, 0, SEEK_SET), ESPIPE);
  }
  FOR_EACH(name, "ftruncate", "ftruncate64") {
    EXPECT_ERRNO(named<decltype(ftruncate)>(name)(pair.client, 0), EINVAL);
  }
  FOR_EACH(name, "fsync", "fdatasync") { EXPECT_ERRNO(named<int(int)>(name)(pair.client), EINVAL); }
}

TEST_P(NameTest, it_is_a_socket) {
  struct stat status;
  const auto expect_socket = [&](int result) {
    EXPECT_EQ(result, 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    status = {};
  };
  using Status = int(int, struct stat*);
  FOR_EACH(name, "fstat", "fstat64", "__fstat64") {
    expect_socket(named<Status>(name)(pair.server, &status));
  }
  FOR_EACH(name, "fstatat", "fstatat64") {
    using StatusAt = int(int, const char*, struct stat*, int);
    expect_socket(named<StatusAt>(name)(pair.server, "", &status, AT_EMPTY_PATH));
  }
  FOR_EACH(name, "__fxstat", "__fxstat64") {
    expect_socket(named<int(int, int, struct stat*)>(name)(1, pair.server, &status));
  }
  FOR_EACH(name, "__fxstatat", "__fxstatat64") {
    using OldStatusAt = int(int, int, const char*, struct stat*, int);
    expect_socket(named<OldStatusAt>(name)(1, pair.server, "", &status, AT_EMPTY_PATH));
  }
  struct statx more;
  EXPECT_EQ(named<decltype(statx)>("statx")(pair.server, "", AT_EMPTY_PATH, STATX_TYPE, &more), 0);
  EXPECT_TRUE(S_ISSOCK(more.stx_mode));
}

TEST_P(NameTest, waiting) {
  write_text(pair.client, "text");
  pollfd fd{pair.server, POLLIN, 0};
  FOR_EACH(name, "poll", "__poll") { EXPECT_EQ(named<decltype(poll)>(name)(&fd, 1, 5000), 1); }
  using PollChk = int(pollfd*, nfds_t, int, Size);
  EXPECT_EQ(named<PollChk>("__poll_chk")(&fd, 1, 5000, sizeof fd), 1);
  using PpollChk = int(pollfd*, nfds_t, const timespec*, const sigset_t*, Size);
  EXPECT_EQ(named<PpollChk>("__ppoll_chk")(&fd, 1, nullptr, nullptr, sizeof fd), 1);
  FOR_EACH(name, "select", "__select") {
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(pair.server, &fds);
    EXPECT_EQ(named<decltype(select)>(name)(pair.server + 1, &fds, nullptr, nullptr, nullptr), 1);
  }
  const Fd set(named<int(int)>("epoll_create")(1));
  epoll_event event{.events = EPOLLIN, .data = {}};
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, pair.server, &event), 0);
  EXPECT_EQ(epoll_wait(set, &event, 1, 5000), 1);
}

TEST_P(NameTest, connecting_and_flags) {
  const Fd listener = listening(GetParam());
  FOR_EACH(name, "connect", "__connect") {
    sockaddr_in to = name_of(listener);
    const Fd client(named<int(int, int, int)>("__socket")(AF_INET, SOCK_STREAM, 0));
    using Connect = int(int, const sockaddr*, socklen_t);
    EXPECT_EQ(named<Connect>(name)(client, as_sockaddr(to), sizeof to), 0);
    EXPECT_GE(Fd(accept(listener, nullptr, nullptr)), 0);
  }
  FOR_EACH(name, "fcntl", "__fcntl", "fcntl64") {
    EXPECT_EQ(named<int(int, int, ...)>(name)(pair.client, F_GETFL), O_RDWR);
  }
  EXPECT_EQ(named<int(int)>("sockatmark")(pair.client), 0);
}

TEST_P(NameTest, duplicating_and_closing) {
  FOR_EACH(name, "dup2", "__dup2") {
    EXPECT_EQ(named<int(int, int)>(name)(pair.client, 77), 77);
    write_text(77, "text");
    EXPECT_EQ(read_text(pair.server, 4), "text");
    for (const char* close_name : {"close", "__close"}) {
      EXPECT_EQ(named<int(int)>(close_name)(77), close_name[0] == '_' ? -1 : 0);
    }
  }
  EXPECT_EQ(named<int(int)>("__close")(pair.client.release()), 0);
  EXPECT_EQ(read(pair.server, room, 1), 0);
}

// What makes descriptors makes the lowest there is.
TEST_P(NameTest, making_descriptors) {
  const int lowest = Fd(dup(pair.client));
  const auto expect_lowest = [&](int fd) { EXPECT_EQ(Fd(fd), lowest); };
  FOR_EACH(name, "open", "open64") {
    expect_lowest(named<int(const char*, int, ...)>(name)("/dev/null", O_RDONLY));
  }
  FOR_EACH(name, "pipe", "__pipe") {
    int ends[2];
    EXPECT_EQ(named<int(int*)>(name)(ends), 0);
    const Fd other(ends[1]);
    expect_lowest(ends[0]);
  }
  int ends[2];
  EXPECT_EQ(named<int(int*, int)>("pipe2")(ends, O_CLOEXEC), 0);
  const Fd other(ends[1]);
  expect_lowest(ends[0]);
}

TEST_P(NameTest, streams) {
  FILE* const stream = fdopen(dup(pair.client), "w");
  FOR_EACH(name, "fileno", "fileno_unlocked") {
    const int fd = named<int(FILE*)>(name)(stream);
    write_text(fd, "text");
    EXPECT_EQ(read_text(pair.server, 4), "text");
  }
  EXPECT_EQ(fclose(stream), 0);
}

TEST_P(NameTest, forking) {
  FOR_EACH(name, "fork", "__fork", "__libc_fork", "vfork", "__vfork", "_Fork") {
    const pid_t child = named<pid_t()>(name)();
    if (child == 0) {
      close(pair.client);
      for (const char* exit_name : {"_Exit", "_exit"}) {
        named<void(int)>(exit_name)(42);
      }
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 42);
    write_text(pair.client, "text");
    EXPECT_EQ(read_text(pair.server, 4), "text");
  }
}

volatile sig_atomic_t signals_seen = 0;
void see_signal(int) { signals_seen = signals_seen + 1; }

void expect_interrupted(int fd) {
  ualarm(10'000, 0);
  EXPECT_ERRNO(read(fd, room, 1), EINTR);
  ualarm(0, 0);
}

TEST_P(NameTest, handlers_that_interrupt) {
  signals_seen = 0;
  FOR_EACH(name, "sysv_signal", "__sysv_signal") {
    EXPECT_NE(named<decltype(signal)>(name)(SIGALRM, see_signal), SIG_ERR);
    expect_interrupted(pair.server);
  }
  EXPECT_EQ(named<int(int, int)>("siginterrupt")(SIGALRM, 1), 0);
  FOR_EACH(name, "signal", "bsd_signal", "ssignal") {
    EXPECT_NE(named<decltype(signal)>(name)(SIGALRM, see_signal), SIG_ERR);
    expect_interrupted(pair.server);
  }
  EXPECT_EQ(named<int(int, int)>("siginterrupt")(SIGALRM, 0), 0);
  FOR_EACH(name, "sigaction", "__sigaction") {
    struct sigaction action {};
    action.sa_handler = see_signal;
    using Sigaction = int(int, const struct sigaction*, struct sigaction*);
    EXPECT_EQ(named<Sigaction>(name)(SIGALRM, &action, nullptr), 0);
    expect_interrupted(pair.server);
  }
  EXPECT_EQ(signals_seen, 7);
  signal(SIGALRM, SIG_DFL);
}

ON_BOTH_SIDES(NameTest);

}  // namespace
}  // namespace preload_test
