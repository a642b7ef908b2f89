// descriptors_test.cc - numbers, duplicates, flags, stdio and processes, on both sides alike.
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>

#include "tests/preload/pairs.h"

extern char** environ;

namespace preload_test {
namespace {

using DescriptorTest = BothSides;

// Children need not have the library: one with a sanitizer cannot be loaded into any program.
const int without_library = unsetenv("LD_PRELOAD");

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int status_of(pid_t child) {
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_P(DescriptorTest, numbers_are_the_lowest_that_the_kernel_has) {
  const Fd next(dup(0));
  const int expected = next;
  Fd hole(dup(0));
  const int after = hole;
  hole.close();
  const Pair more = connected(GetParam());  // listener, client, accepted; the listener is gone
  EXPECT_EQ(more.client, after + 1);
  EXPECT_EQ(more.server, after + 2);
  EXPECT_EQ(Fd(dup(0)), after);
  EXPECT_LT(expected, after);
}

TEST_P(DescriptorTest, closed_is_ebadf) {
  const int fd = pair.client.release();
  EXPECT_EQ(close(fd), 0);
  EXPECT_ERRNO(close(fd), EBADF);
  char octet;
  EXPECT_ERRNO(read(fd, &octet, 1), EBADF);
  EXPECT_ERRNO(send(fd, "x", 1, 0), EBADF);
  EXPECT_EQ(read(pair.server, &octet, 1), 0) << "the peer sees the end";
}

TEST_P(DescriptorTest, a_duplicate_keeps_the_connection) {
  const Fd duplicate(dup(pair.client));
  pair.client.close();
  write_text(duplicate, "still");
  EXPECT_EQ(read_text(pair.server, 5), "still");
}

TEST_P(DescriptorTest, f_dupfd_takes_its_least_number_and_dup3_its_flag) {
  const Fd high(fcntl(pair.client, F_DUPFD_CLOEXEC, 200));
  EXPECT_EQ(high, 200);
  EXPECT_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(pair.client, F_GETFD), 0);
  const Fd higher(dup3(pair.client, 201, O_CLOEXEC));
  EXPECT_EQ(higher, 201);
  EXPECT_EQ(fcntl(higher, F_GETFD), FD_CLOEXEC);
  write_text(higher, "x");
  write_text(high, "y");
  EXPECT_EQ(read_text(pair.server, 2), "xy");
  EXPECT_ERRNO(dup3(pair.client, pair.client, 0), EINVAL);
  EXPECT_EQ(dup2(pair.client, pair.client), pair.client);
}

TEST_P(DescriptorTest, dup2_of_a_file_onto_a_socket_ends_it) {
  const Fd null(open("/dev/null", O_RDWR));
  EXPECT_EQ(dup2(null, pair.client), pair.client);
  EXPECT_EQ(write(pair.client, "gone", 4), 4);
  char octet;
  EXPECT_EQ(read(pair.server, &octet, 1), 0);
  struct stat status;
  EXPECT_EQ(fstat(pair.client, &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_P(DescriptorTest, dup2_of_a_socket_onto_a_file) {
  Fd target(open("/dev/null", O_RDWR));
  EXPECT_EQ(dup2(pair.client, target), target);
  pair.client.close();
  write_text(target, "moved");
  EXPECT_EQ(read_text(pair.server, 5), "moved");
}

TEST_P(DescriptorTest, close_range_closes) {
  const Fd high(fcntl(pair.client, F_DUPFD, 300));
  pair.client.close();
  EXPECT_EQ(close_range(300, 310, 0), 0);
  char octet;
  EXPECT_EQ(read(pair.server, &octet, 1), 0);
  EXPECT_FALSE(is_open(300));
  const_cast<Fd&>(high).release();
}

// As daemons do it, one by one or at once; what Pollux has open for itself is not theirs.
TEST_P(DescriptorTest, closing_everything_above_leaves_the_stack_alone) {
  for (int fd = 400; fd < 2000; ++fd) EXPECT_ERRNO(close(fd), EBADF);
  EXPECT_EQ(close_range(400, ~0u, 0), 0);
  closefrom(500);
  for (const int fd : {900, 901, 902}) {
    struct stat status;
    EXPECT_ERRNO(fcntl(fd, F_GETFD), EBADF);
    EXPECT_ERRNO(fstat(fd, &status), EBADF);
    EXPECT_ERRNO(dup(fd), EBADF);
    EXPECT_ERRNO(write(fd, "x", 1), EBADF);
    pollfd asked{fd, POLLIN, 0};
    EXPECT_EQ(poll(&asked, 1, 0), 1);
    EXPECT_EQ(asked.revents, POLLNVAL);
    EXPECT_EQ(asked.fd, fd);
  }
  const Pair more = connected(GetParam());
  write_text(more.client, "works");
  EXPECT_EQ(read_text(more.server, 5), "works");
}

TEST_P(DescriptorTest, status_flags_and_requests) {
  EXPECT_EQ(fcntl(pair.server, F_GETFL), O_RDWR);
  EXPECT_EQ(fcntl(pair.server, F_SETFL, O_RDWR | O_NONBLOCK), 0);
  EXPECT_EQ(fcntl(pair.server, F_GETFL), O_RDWR | O_NONBLOCK);
  char octet;
  EXPECT_ERRNO(read(pair.server, &octet, 1), EAGAIN);
  int off = 0, waiting = -1;
  EXPECT_EQ(ioctl(pair.server, FIONBIO, &off), 0);
  EXPECT_EQ(fcntl(pair.server, F_GETFL), O_RDWR);
  write_text(pair.client, "four");
  pollfd fd{pair.server, POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 1000), 1);
  EXPECT_EQ(ioctl(pair.server, FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 4);
  EXPECT_EQ(ioctl(pair.server, FIOCLEX), 0);
  EXPECT_EQ(fcntl(pair.server, F_GETFD), FD_CLOEXEC);
}

TEST_P(DescriptorTest, it_is_a_socket_to_whoever_asks) {
  struct stat status;
  for (const int fd : {int{pair.client}, int{pair.server}}) {
    EXPECT_EQ(fstat(fd, &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(isfdtype(fd, S_IFSOCK), 1);
    EXPECT_EQ(access(("/proc/self/fd/" + std::to_string(fd)).c_str(), F_OK), 0);
    int type = 0;
    socklen_t length = sizeof type;
    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length), 0);
    EXPECT_EQ(type, SOCK_STREAM);
  }
}

TEST_P(DescriptorTest, options_set_before_the_address_is_known_hold) {
  const Fd listener = listening(GetParam());
  sockaddr_in to = name_of(listener);
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const int on = 1;
  EXPECT_EQ(setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
  EXPECT_ERRNO(connect(client, as_sockaddr(to), sizeof to), EINPROGRESS);
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(fcntl(client, F_GETFL), O_RDWR | O_NONBLOCK);
  const Fd accepted(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(accepted, F_GETFL), O_RDWR | O_NONBLOCK);
}

TEST_P(DescriptorTest, nobody_listens) {
  Fd listener = listening(GetParam());
  sockaddr_in to = name_of(listener);
  listener.close();
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_ERRNO(connect(client, as_sockaddr(to), sizeof to), ECONNREFUSED);
  EXPECT_ERRNO(getpeername(client, as_sockaddr(to), nullptr), ENOTCONN);
}

TEST_P(DescriptorTest, stdio_reads_writes_and_closes) {
  EXPECT_EQ(dprintf(pair.client, "line %d\n", 0), 7);
  EXPECT_EQ(read_text(pair.server, 7), "line 0\n");
  FILE* const out = fdopen(pair.client, "w");
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(fileno(out), pair.client);
  EXPECT_EQ(fprintf(out, "line %d\n", 1), 7);
  EXPECT_EQ(fflush(out), 0);
  FILE* const in = fdopen(pair.server, "r");
  char line[16] = {};
  EXPECT_EQ(fgets(line, sizeof line, in), line);
  EXPECT_STREQ(line, "line 1\n");
  pair.client.release();
  EXPECT_EQ(fclose(out), 0);
  EXPECT_EQ(fgetc(in), EOF);
  EXPECT_TRUE(feof(in));
  pair.server.release();
  EXPECT_EQ(fclose(in), 0);
}

TEST_P(DescriptorTest, a_child_cannot_end_its_parents_connection) {
  const pid_t child = fork();
  if (child == 0) {
    close(pair.client);
    _exit(0);
  }
  EXPECT_EQ(status_of(child), 0);
  const pid_t second = vfork();
  if (second == 0) {
    close(pair.client);
    _exit(0);
  }
  EXPECT_EQ(status_of(second), 0);
  write_text(pair.client, "alive");
  EXPECT_EQ(read_text(pair.server, 5), "alive");
}

TEST_P(DescriptorTest, programs_inherit_by_the_flag) {
  fcntl(pair.server, F_SETFD, FD_CLOEXEC);
  const std::string script = "test -e /proc/self/fd/" + std::to_string(pair.client) +
                             " && ! test -e /proc/self/fd/" + std::to_string(pair.server);
  const char* const arguments[] = {"sh", "-c", script.c_str(), nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawnp(&child, "sh", nullptr, nullptr, const_cast<char**>(arguments), environ),
            0);
  EXPECT_EQ(status_of(child), 0);
  EXPECT_EQ(system(script.c_str()), 0);
}

ON_BOTH_SIDES(DescriptorTest);

TEST(Fork, a_childs_inherited_stack_sockets_are_ebadf) {
  const Pair pair = connected(Side::stack);
  const pid_t child = fork();
  if (child == 0) {
    errno = 0;
    char octet;
    const bool is_lost = read(pair.client, &octet, 1) < 0 && errno == EBADF;
    const bool closes = close(pair.client) == 0 && close(pair.client) < 0;
    const Pair kernels = connected(Side::kernel);
    write_text(kernels.client, "x");
    _exit(is_lost && closes && read_text(kernels.server, 1) == "x" ? 0 : 1);
  }
  EXPECT_EQ(status_of(child), 0);
}

}  // namespace
}  // namespace preload_test
