// table.cc - each slot is one public call, made by a thread that visits the World.
#include "tests/packetdrill/table.h"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pollux/pollux.h"
#include "tests/packetdrill/world.h"

namespace pollux::packetdrill {
namespace {

World& world_of(void* userdata) { return *static_cast<World*>(userdata); }

// The slot that makes `call`, whose arguments are the slot's without the first.
template <auto call>
struct Slot;
template <typename R, typename... A, R (*call)(A...)>
struct Slot<call> {
  static R visit(void* userdata, A... arguments) {
    const World::Visit visit(world_of(userdata));
    return call(arguments...);
  }
};
template <auto call>
inline constexpr auto slot = Slot<call>::visit;

int visit_fcntl(void* userdata, int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  const World::Visit visit(world_of(userdata));
  return plx_fcntl(fd, command, argument);
}

int visit_ioctl(void* userdata, int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* const argument = va_arg(list, void*);
  va_end(list);
  const World::Visit visit(world_of(userdata));
  return plx_ioctl(fd, request, argument);
}

void end_world(void* userdata) { delete &world_of(userdata); }

int netdev_send(void* userdata, const void* packet, size_t length) {
  world_of(userdata).send({static_cast<const std::byte*>(packet), length});
  return 0;
}

int netdev_receive(void* userdata, void* packet, size_t* length, long long* time_usecs) {
  IpDevice::Sent sent;
  const std::size_t room = *length;
  *length = 0;
  if (!world_of(userdata).receive(sent)) return 0;
  *length = std::min(room, sent.packet.size());
  std::memcpy(packet, sent.packet.data(), *length);
  *time_usecs = sent.at.to_ns() / 1000;
  return 0;
}

int pass_usecs(void* userdata, useconds_t usecs) {
  world_of(userdata).pass(Duration::us(usecs));
  return 0;
}

int tell_time(void* userdata, timeval* time, struct timezone*) {
  const std::int64_t usecs = world_of(userdata).look_at_clock().to_ns() / 1000;
  *time = {.tv_sec = usecs / 1'000'000, .tv_usec = usecs % 1'000'000};
  return 0;
}

int kernel_pipe(void*, int fds[2]) { return ::pipe(fds); }

// Native Pollux has none: only the preload library splices.
ssize_t no_splice(void*, int, loff_t*, int, loff_t*, size_t, unsigned) {
  errno = ENOSYS;
  return -1;
}

unsigned count_asleep(void* userdata) { return world_of(userdata).asleep(); }
std::size_t count_pending(void* userdata) { return world_of(userdata).pending(); }

}  // namespace

void fill_table(const char* flags, packetdrill_interface& table) {
  std::string error;
  std::unique_ptr<World> world = World::open(flags ? flags : "", error);
  if (!world) {
    std::fprintf(stderr, "pollux-packetdrill: %s\n", error.c_str());
    std::abort();
  }
  table = {.userdata = world.release(),
           .free = end_world,
           .socket = slot<plx_socket>,
           .bind = slot<plx_bind>,
           .listen = slot<plx_listen>,
           .accept = slot<plx_accept>,
           .connect = slot<plx_connect>,
           .read = slot<plx_read>,
           .readv = slot<plx_readv>,
           .recv = slot<plx_recv>,
           .recvfrom = slot<plx_recvfrom>,
           .recvmsg = slot<plx_recvmsg>,
           .write = slot<plx_write>,
           .writev = slot<plx_writev>,
           .send = slot<plx_send>,
           .sendto = slot<plx_sendto>,
           .sendmsg = slot<plx_sendmsg>,
           .fcntl = visit_fcntl,
           .ioctl = visit_ioctl,
           .close = slot<plx_close>,
           .shutdown = slot<plx_shutdown>,
           .getsockopt = slot<plx_getsockopt>,
           .setsockopt = slot<plx_setsockopt>,
           .poll = slot<plx_poll>,
           .netdev_send = netdev_send,
           .netdev_receive = netdev_receive,
           .usleep = pass_usecs,
           .gettimeofday = tell_time,
           .epoll_create = slot<plx_epoll_create>,
           .epoll_ctl = slot<plx_epoll_ctl>,
           .epoll_wait = slot<plx_epoll_wait>,
           .pipe = kernel_pipe,
           .splice = no_splice};
}

const Extras& extras() {
  static constexpr Extras kExtras = {.accept4 = slot<plx_accept4>,
                                     .getsockname = slot<plx_getsockname>,
                                     .getpeername = slot<plx_getpeername>,
                                     .dup = slot<plx_dup>,
                                     .asleep = count_asleep,
                                     .pending = count_pending};
  return kExtras;
}

}  // namespace pollux::packetdrill
