// data_test.cc - every call that moves octets, on a kernel's socket and on a stack's alike.
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/preload/pairs.h"

extern "C" {
ssize_t __read_chk(int, void*, std::size_t, std::size_t);
ssize_t __recv_chk(int, void*, std::size_t, std::size_t, int);
ssize_t __recvfrom_chk(int, void*, std::size_t, std::size_t, int, sockaddr*, socklen_t*);
}

namespace preload_test {
namespace {

using DataTest = BothSides;

// The kernel itself, past the library: whose the descriptor really is.
long peer_name_by_kernel(int fd) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(SYS_getpeername), "D"(fd), "S"(&in), "d"(&length)
               : "rcx", "r11", "memory");
  return result;
}

TEST_P(DataTest, the_socket_is_whose_the_rules_say) {
  const bool is_kernels = GetParam() == Side::kernel;
  EXPECT_EQ(peer_name_by_kernel(pair.client) == 0, is_kernels);
  EXPECT_EQ(peer_name_by_kernel(pair.server) == 0, is_kernels);
}

TEST_P(DataTest, read_and_write_and_their_vectors) {
  write_text(pair.client, "hello");
  EXPECT_EQ(read_text(pair.server, 5), "hello");
  char one[] = "ab", two[] = "cde";
  const iovec out[] = {{one, 2}, {two, 3}};
  EXPECT_EQ(writev(pair.server, out, 2), 5);
  char first[3] = {}, second[4] = {};
  const iovec in[] = {{first, 2}, {second, 3}};
  EXPECT_EQ(readv(pair.client, in, 2), 5);
  EXPECT_STREQ(first, "ab");
  EXPECT_STREQ(second, "cde");
}

TEST_P(DataTest, send_and_recv_with_flags) {
  char buffer[8] = {};
  EXPECT_ERRNO(recv(pair.server, buffer, 8, MSG_DONTWAIT), EAGAIN);
  EXPECT_EQ(send(pair.client, "abcd", 4, MSG_NOSIGNAL), 4);
  EXPECT_EQ(recv(pair.server, buffer, 2, MSG_PEEK), 2);
  EXPECT_EQ(recv(pair.server, buffer, 4, MSG_WAITALL), 4);
  EXPECT_EQ(sendto(pair.client, "xy", 2, 0, nullptr, 0), 2);
  sockaddr_in from{};
  socklen_t length = sizeof from;
  EXPECT_EQ(recvfrom(pair.server, buffer, 8, 0, as_sockaddr(from), &length), 2);
  EXPECT_EQ(length, 0u);
}

TEST_P(DataTest, messages_and_many_messages) {
  char text[] = "message", room[16] = {};
  iovec out{text, 7}, in{room, 16};
  mmsghdr send_one{}, receive_one{};
  send_one.msg_hdr.msg_iov = &out;
  receive_one.msg_hdr.msg_iov = &in;
  send_one.msg_hdr.msg_iovlen = receive_one.msg_hdr.msg_iovlen = 1;
  EXPECT_EQ(sendmsg(pair.client, &send_one.msg_hdr, 0), 7);
  EXPECT_EQ(recvmsg(pair.server, &receive_one.msg_hdr, 0), 7);
  EXPECT_STREQ(room, "message");
  EXPECT_EQ(sendmmsg(pair.client, &send_one, 1, 0), 1);
  EXPECT_EQ(send_one.msg_len, 7u);
  EXPECT_EQ(recvmmsg(pair.server, &receive_one, 1, MSG_WAITFORONE, nullptr), 1);
  EXPECT_EQ(receive_one.msg_len, 7u);
}

TEST_P(DataTest, checked_variants) {
  char buffer[8] = {};
  write_text(pair.client, "abcdef");
  EXPECT_EQ(__read_chk(pair.server, buffer, 2, sizeof buffer), 2);
  EXPECT_EQ(__recv_chk(pair.server, buffer, 2, sizeof buffer, 0), 2);
  EXPECT_EQ(__recvfrom_chk(pair.server, buffer, 2, sizeof buffer, 0, nullptr, nullptr), 2);
  EXPECT_STREQ(buffer, "ef");
}

TEST_P(DataTest, there_is_no_place_to_seek_to) {
  char buffer[4] = {};
  const iovec piece{buffer, 4};
  EXPECT_ERRNO(pread(pair.client, buffer, 4, 0), ESPIPE);
  EXPECT_ERRNO(pread64(pair.client, buffer, 4, 0), ESPIPE);
  EXPECT_ERRNO(pwrite(pair.client, buffer, 4, 0), ESPIPE);
  EXPECT_ERRNO(preadv(pair.client, &piece, 1, 0), ESPIPE);
  EXPECT_ERRNO(pwritev(pair.client, &piece, 1, 0), ESPIPE);
  EXPECT_ERRNO(lseek(pair.client, 0, SEEK_CUR), ESPIPE);
  EXPECT_ERRNO(ftruncate(pair.client, 0), EINVAL);
  EXPECT_ERRNO(fsync(pair.client), EINVAL);
  EXPECT_EQ(pwritev2(pair.client, &piece, 1, -1, 0), 4);
  EXPECT_EQ(preadv2(pair.server, &piece, 1, -1, 0), 4);
}

TEST_P(DataTest, syscall_by_number) {
  EXPECT_EQ(syscall(SYS_write, int{pair.client}, "number", 6), 6);
  int waiting = 0;
  EXPECT_EQ(syscall(SYS_ioctl, int{pair.server}, FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 6);
  char buffer[8] = {};
  EXPECT_EQ(syscall(SYS_recvfrom, int{pair.server}, buffer, 8, 0, nullptr, nullptr), 6);
  EXPECT_STREQ(buffer, "number");
  EXPECT_EQ(syscall(SYS_getpid), getpid());
  EXPECT_ERRNO(syscall(SYS_pread64, int{pair.client}, buffer, 8, 0), ESPIPE);
}

TEST_P(DataTest, the_end_of_a_stream_and_a_broken_one) {
  char octet;
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(read(pair.server, &octet, 1), 0);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_ERRNO(write(pair.client, "x", 1), EPIPE);
  signal(SIGPIPE, SIG_DFL);
}

TEST_P(DataTest, datagrams_with_and_without_connect) {
  const Fd server = bound(GetParam(), SOCK_DGRAM), client(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in to = name_of(server);
  EXPECT_EQ(sendto(client, "one", 3, 0, as_sockaddr(to), sizeof to), 3);
  char buffer[8] = {};
  sockaddr_in from{};
  socklen_t length = sizeof from;
  EXPECT_EQ(recvfrom(server, buffer, 8, 0, as_sockaddr(from), &length), 3);
  EXPECT_EQ(from.sin_port, name_of(client).sin_port);
  EXPECT_EQ(connect(server, as_sockaddr(from), sizeof from), 0);
  EXPECT_EQ(send(server, "two", 3, 0), 3);
  EXPECT_EQ(read(client, buffer, 8), 3);
}

TEST_P(DataTest, who_receives_before_anybody_has_sent_hears_the_answer) {
  const Fd client(socket(AF_INET, SOCK_DGRAM, 0));
  const timeval limit{5, 0};
  EXPECT_EQ(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  std::thread receiver([&] {
    char buffer[16];
    EXPECT_EQ(recv(client, buffer, sizeof buffer, 0), 6) << strerror(errno);
  });
  usleep(20000);  // it most likely sleeps by then
  ask_and_answer(GetParam(), client);
  receiver.join();
}

ON_BOTH_SIDES(DataTest);

}  // namespace
}  // namespace preload_test
