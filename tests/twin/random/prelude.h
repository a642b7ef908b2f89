// prelude.h - what a printed program needs beside its calls: it is C, for cc -D_GNU_SOURCE -I.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int s[12] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
static int port[12];
static struct sockaddr_in at_;
static socklen_t at_length;
#define LOOPBACK 0x7f000001
#define SHOW(x) (errno = 0, printf("%-3d %s\n", __LINE__, #x), printf("    %ld, %m\n", (long)(x)))

static inline const struct sockaddr* at(int family, unsigned host, int number) {
  at_ = (struct sockaddr_in){.sin_family = family, .sin_port = htons(number)};
  at_.sin_addr.s_addr = htonl(host);
  return (struct sockaddr*)&at_;
}
static inline int tcp(void) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}
static inline int udp(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); }
static inline void note_port(int slot) {
  struct sockaddr_in own;
  socklen_t length = sizeof own;
  if (getsockname(s[slot], (struct sockaddr*)&own, &length) == 0 && own.sin_port)
    port[slot] = ntohs(own.sin_port);
}
static inline int option(int fd, int level, int name, int value) {
  int both[2] = {value, 0};
  return setsockopt(fd, level, name, both, name == SO_LINGER ? 8 : 4);
}
static inline int optional(int fd, int level, int name) {
  int both[2] = {0, 0};
  socklen_t length = sizeof both;
  int result = getsockopt(fd, level, name, both, &length);
  return result < 0 ? result : both[0];
}
static inline int address(int fd, int (*call)(int, struct sockaddr*, socklen_t*)) {
  at_length = sizeof at_;
  int result = call(fd, (struct sockaddr*)&at_, &at_length);
  return result < 0 ? result : ntohs(at_.sin_port);
}
static inline int request(int fd, unsigned long number) {
  int value = -1, result = ioctl(fd, number, &value);
  return result < 0 ? result : value;
}
static inline int ctl(int set, int operation, int fd, unsigned events, unsigned long data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(set, operation, fd, &event);
}
static inline int wait_for(int set, int most, int ms) {
  struct epoll_event events[64];
  int n = epoll_wait(set, events, most, ms);
  for (int i = 0; i < n; ++i)
    printf("    %lu: 0x%x\n", (unsigned long)events[i].data.u64, events[i].events);
  return n;
}
static inline int look(struct pollfd* fds, int count) {
  int n = poll(fds, count, 0);
  for (int i = 0; i < count; ++i) printf("    0x%x\n", (unsigned)fds[i].revents);
  return n;
}
static inline int choose(struct pollfd* fds, int count) {
  fd_set sets[3];
  struct timeval at_once = {0, 0};
  int most = -1;
  for (int k = 0; k < 3; ++k) FD_ZERO(&sets[k]);
  for (int i = 0; i < count; ++i) {
    if (fds[i].fd > most) most = fds[i].fd;
    if (fds[i].fd >= 0 && (fds[i].events & POLLIN)) FD_SET(fds[i].fd, &sets[0]);
    if (fds[i].fd >= 0 && (fds[i].events & POLLOUT)) FD_SET(fds[i].fd, &sets[1]);
    if (fds[i].fd >= 0 && (fds[i].events & POLLPRI)) FD_SET(fds[i].fd, &sets[2]);
  }
  return select(most + 1, &sets[0], &sets[1], &sets[2], &at_once);
}
static inline int timer(int nanoseconds) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec when = {.it_value = {0, nanoseconds}};
  timerfd_settime(fd, 0, &when, NULL);
  return fd;
}
static inline int pair(int reader, int writer) {
  int ends[2], result = pipe2(ends, O_NONBLOCK);
  s[reader] = ends[0], s[writer] = ends[1];
  return result;
}
static inline int fill(int fd) {
  char text[16384] = {0};
  while (send(fd, text, sizeof text, MSG_NOSIGNAL) > 0) continue;
  return 0;
}
static inline int drain(int fd) {
  char text[16384];
  while (recv(fd, text, sizeof text, 0) > 0) continue;
  return 0;
}
char buffer[512];
