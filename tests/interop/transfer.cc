// transfer.cc - moves one file over one TCP connection with Pollux at this end, either role, either
// way.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <span>
#include <string_view>

#include "pollux/pollux.h"

namespace {

// A deliberately odd size, so that writes end nowhere near segment borders.
constexpr size_t kChunk = 48'611;

bool complain(const char* what) {
  fprintf(stderr, "transfer: %s: %s\n", what, strerror(errno));
  return false;
}

// A connection, by connect() to the address or by accept() on it; -1 after a message.
int open_connection(bool listens, const sockaddr_in& address) {
  const int fd = plx_socket(AF_INET, SOCK_STREAM, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (fd < 0) return complain("socket"), -1;
  if (!listens) {
    return plx_connect(fd, generic, sizeof address) == 0 ? fd : (complain("connect"), -1);
  }
  if (plx_bind(fd, generic, sizeof address) != 0 || plx_listen(fd, 1) != 0) {
    return complain("bind and listen"), -1;
  }
  printf("listening\n");
  fflush(stdout);
  const int accepted = plx_accept(fd, nullptr, nullptr);
  if (accepted < 0) complain("accept");
  return accepted;
}

bool send_all(int fd, std::span<const char> text) {
  while (!text.empty()) {
    const ssize_t n = plx_send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0) return complain("send");
    text = text.subspan(static_cast<size_t>(n));
  }
  return true;
}

// Sends the file, then a FIN, then waits for the peer's: it has everything.
bool send_file(int fd, int file) {
  static std::array<char, kChunk> buffer;
  for (;;) {
    const ssize_t n = ::read(file, buffer.data(), buffer.size());
    if (n < 0) return complain("read the file");
    if (n == 0) break;
    if (!send_all(fd, std::span(buffer).first(static_cast<size_t>(n)))) return false;
  }
  if (plx_shutdown(fd, SHUT_WR) != 0) return complain("shutdown");
  const ssize_t n = plx_recv(fd, buffer.data(), buffer.size(), 0);
  return n == 0 || complain(n < 0 ? "wait for the peer's FIN" : "the peer sent text");
}

bool receive_file(int fd, int file) {
  static std::array<char, kChunk> buffer;
  for (;;) {
    const ssize_t n = plx_recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0) return complain("recv");
    if (n == 0) return true;
    if (::write(file, buffer.data(), static_cast<size_t>(n)) != n)
      return complain("write the file");
  }
}

int usage() {
  fprintf(stderr, "usage: transfer CONFIG connect|listen ADDRESS PORT send|receive FILE\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return usage();
  const std::string_view role = argv[2], way = argv[5];
  const bool sends = way == "send";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(argv[4])));
  if (inet_pton(AF_INET, argv[3], &address.sin_addr) != 1) return usage();
  const int file =
      sends ? ::open(argv[6], O_RDONLY) : ::open(argv[6], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) return complain(argv[6]), 1;
  if (plx_init(argv[1], nullptr) != 0) {
    fprintf(stderr, "transfer: %s\n", plx_error());
    return 1;
  }
  const int fd = open_connection(role == "listen", address);
  bool is_whole = fd >= 0 && (sends ? send_file(fd, file) : receive_file(fd, file));
  if (fd >= 0 && plx_close(fd) != 0) is_whole = complain("close");
  if (::close(file) != 0) is_whole = complain("close the file");
  // The last ACKs need a moment before the stack goes.
  usleep(100'000);
  plx_exit();
  return is_whole ? 0 : 1;
}
