// splice_test.cc - sendfile and splice between files, pipes and sockets of both sides alike.
#include <sys/mman.h>
#include <sys/sendfile.h>

#include <thread>

#include "tests/preload/pairs.h"

namespace preload_test {
namespace {

class SpliceTest : public BothSides {
 protected:
  SpliceTest() {
    int numbers[2];
    EXPECT_EQ(pipe(numbers), 0);
    in = Fd(numbers[1]);
    out = Fd(numbers[0]);
  }
  static Fd file_of(const std::string& text) {
    Fd file(memfd_create("file", 0));
    write_text(file, text);
    EXPECT_EQ(lseek(file, 0, SEEK_SET), 0);
    return file;
  }
  // Until no more is taken: what the socket holds unread.
  static std::size_t fill(int fd) {
    const std::string text(65536, 'f');
    std::size_t filled = 0;
    for (int idle = 0; idle < 20;) {
      const ssize_t n = send(fd, text.data(), text.size(), MSG_DONTWAIT);
      if (n > 0) filled += static_cast<std::size_t>(n);
      idle = n > 0 ? 0 : idle + 1;
      if (n < 0) usleep(1000);
    }
    return filled;
  }
  static void set_non_blocking(int fd) { EXPECT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0); }

  Fd in, out;  // of a pipe
};

TEST_P(SpliceTest, a_file_from_an_offset) {
  std::string text(200'000, 'x');
  text.replace(150'000, 4, "here");
  const Fd file = file_of(text);
  std::string got;
  std::thread reader([&] { got = read_text(pair.server, text.size() - 10); });
  off_t offset = 10;
  while (offset < static_cast<off_t>(text.size())) {
    if (sendfile(pair.client, file, &offset, text.size()) <= 0) break;
  }
  reader.join();
  EXPECT_EQ(offset, static_cast<off_t>(text.size()));
  EXPECT_EQ(got, text.substr(10));
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), 0) << "the file's own place stays";
}

TEST_P(SpliceTest, a_file_from_its_own_place) {
  const Fd file = file_of("0123456789");
  EXPECT_EQ(lseek(file, -5, SEEK_END), 5);
  EXPECT_EQ(sendfile(pair.client, file, nullptr, 2), 2);
  EXPECT_EQ(sendfile(pair.client, file, nullptr, 100), 3) << "the file has no more";
  EXPECT_EQ(sendfile(pair.client, file, nullptr, 100), 0);
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), 10);
  off_t beyond = 100;
  EXPECT_EQ(sendfile(pair.client, file, &beyond, 1), 0);
  EXPECT_EQ(sendfile(pair.client, file, nullptr, 0), 0);
  EXPECT_EQ(read_text(pair.server, 5), "56789");
}

TEST_P(SpliceTest, a_file_to_a_socket_that_does_not_block) {
  const std::string text(8 << 20, 'x');
  const Fd file = file_of(text);
  set_non_blocking(pair.client);
  off_t offset = 0;
  const ssize_t first = sendfile(pair.client, file, &offset, text.size());
  EXPECT_GT(first, 0);
  EXPECT_LT(first, static_cast<ssize_t>(text.size()));
  EXPECT_EQ(offset, first);
  const std::size_t more = fill(pair.client);
  EXPECT_ERRNO(sendfile(pair.client, file, &offset, text.size()), EAGAIN);
  EXPECT_EQ(offset, first);
  const std::size_t all = static_cast<std::size_t>(first) + more;
  EXPECT_EQ(read_text(pair.server, all).size(), all);
}

TEST_P(SpliceTest, sendfile_refuses) {
  const Fd file = file_of("x");
  const int closed = Fd(dup(in));
  off_t negative = -1, none = 0;
  EXPECT_ERRNO(sendfile(pair.client, pair.server, nullptr, 1), EINVAL);
  EXPECT_ERRNO(sendfile(pair.client, file, &negative, 1), EINVAL);
  EXPECT_ERRNO(sendfile(pair.client, closed, &none, 1), EBADF);
  EXPECT_ERRNO(sendfile(closed, file, &none, 1), EBADF);
  const Fd writable(open("/dev/null", O_WRONLY));
  EXPECT_ERRNO(sendfile(pair.client, writable, nullptr, 1), EBADF);
}

TEST_P(SpliceTest, from_a_socket_to_a_pipe_and_on_to_a_socket) {
  const Pair other = connected(GetParam());
  write_text(pair.client, "through");
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 4, 0), 4);
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 100, SPLICE_F_MOVE), 3);
  EXPECT_EQ(splice(out, nullptr, other.client, nullptr, 5, SPLICE_F_MORE), 5);
  EXPECT_EQ(splice(out, nullptr, other.client, nullptr, 100, 0), 2);
  EXPECT_EQ(read_text(other.server, 7), "through");
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 100, 0), 0) << "the end";
  in.close();
  EXPECT_EQ(splice(out, nullptr, other.client, nullptr, 100, 0), 0) << "nobody writes";
}

// As a proxy does it.
TEST_P(SpliceTest, a_megabyte_arrives_as_it_was) {
  std::string text(1 << 20, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 256);
  const Pair other = connected(GetParam());
  std::string got;
  std::thread writer([&] {
    write_text(pair.client, text);
    shutdown(pair.client, SHUT_WR);
  });
  std::thread reader([&] { got = read_text(other.server, text.size()); });
  for (ssize_t n; (n = splice(pair.server, nullptr, in, nullptr, 1 << 20, 0)) > 0;) {
    while (n > 0) {
      const ssize_t moved =
          splice(out, nullptr, other.client, nullptr, static_cast<std::size_t>(n), 0);
      ASSERT_GT(moved, 0) << strerror(errno);
      n -= moved;
    }
  }
  writer.join();
  reader.join();
  EXPECT_TRUE(got == text);
}

TEST_P(SpliceTest, nothing_is_there) {
  EXPECT_ERRNO(splice(out, nullptr, pair.client, nullptr, 9, SPLICE_F_NONBLOCK), EAGAIN);
  set_non_blocking(pair.server);
  EXPECT_ERRNO(splice(pair.server, nullptr, in, nullptr, 9, 0), EAGAIN);
  set_non_blocking(out);
  EXPECT_ERRNO(splice(out, nullptr, pair.client, nullptr, 9, 0), EAGAIN);
}

TEST_P(SpliceTest, a_full_pipe_loses_nothing) {
  write_text(pair.client, "waits");
  set_non_blocking(in);
  std::size_t filled = 0;
  const std::string page(4096, 'p');
  while (write(in, page.data(), page.size()) > 0) filled += page.size();
  EXPECT_ERRNO(splice(pair.server, nullptr, in, nullptr, 9, SPLICE_F_NONBLOCK), EAGAIN);
  EXPECT_EQ(read_text(out, filled).size(), filled);
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 9, SPLICE_F_NONBLOCK), 5);
  EXPECT_EQ(read_text(out, 5), "waits");
}

TEST_P(SpliceTest, a_full_socket_loses_nothing) {
  set_non_blocking(pair.client);
  const std::size_t filled = fill(pair.client);
  write_text(in, "waits");
  EXPECT_ERRNO(splice(out, nullptr, pair.client, nullptr, 9, 0), EAGAIN);
  EXPECT_EQ(read_text(pair.server, filled).size(), filled);
  EXPECT_EQ(fcntl(pair.client, F_SETFL, 0), 0);
  EXPECT_EQ(splice(out, nullptr, pair.client, nullptr, 9, 0), 5);
  EXPECT_EQ(read_text(pair.server, 5), "waits");
}

TEST_P(SpliceTest, splice_refuses) {
  const Pair other = connected(GetParam());
  const Fd file = file_of("x");
  const int closed = Fd(dup(in));
  off64_t offset = 0;
  EXPECT_ERRNO(splice(pair.server, nullptr, other.client, nullptr, 1, 0), EINVAL);
  EXPECT_ERRNO(splice(file, nullptr, pair.client, nullptr, 1, 0), EINVAL);
  EXPECT_ERRNO(splice(pair.server, &offset, in, nullptr, 1, 0), EINVAL);
  EXPECT_ERRNO(splice(pair.server, nullptr, in, &offset, 1, 0), ESPIPE);
  EXPECT_ERRNO(splice(out, &offset, pair.client, nullptr, 1, 0), ESPIPE);
  EXPECT_ERRNO(splice(out, nullptr, pair.client, &offset, 1, 0), EINVAL);
  EXPECT_ERRNO(splice(pair.server, nullptr, in, nullptr, 1, 16), EINVAL);
  EXPECT_ERRNO(splice(pair.server, nullptr, closed, nullptr, 1, 0), EBADF);
  EXPECT_ERRNO(splice(closed, nullptr, pair.server, nullptr, 1, 0), EBADF);
  EXPECT_ERRNO(splice(in, nullptr, pair.server, nullptr, 1, 0), EBADF);
  EXPECT_ERRNO(splice(pair.server, nullptr, out, nullptr, 1, 0), EBADF);
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 0, 0), 0);
  EXPECT_EQ(splice(pair.server, nullptr, in, nullptr, 0, 16), 0);
  EXPECT_ERRNO(splice(listening(GetParam()), nullptr, in, nullptr, 1, 0), ENOTCONN);
}

TEST_P(SpliceTest, what_is_for_pipes_and_files_only) {
  char octet = 'x';
  const iovec piece{&octet, 1};
  const Fd file = file_of("x");
  off64_t offset = 0;
  EXPECT_ERRNO(tee(pair.server, in, 1, 0), EINVAL);
  EXPECT_ERRNO(tee(out, pair.client, 1, 0), EINVAL);
  EXPECT_ERRNO(vmsplice(pair.client, &piece, 1, 0), EBADF);
  EXPECT_ERRNO(copy_file_range(file, &offset, pair.client, nullptr, 1, 0), EINVAL);
  EXPECT_ERRNO(copy_file_range(pair.server, nullptr, file, &offset, 1, 0), EINVAL);
}

ON_BOTH_SIDES(SpliceTest);

}  // namespace
}  // namespace preload_test
