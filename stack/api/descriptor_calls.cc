// descriptor_calls.cc - close(2), dup(2), fcntl(2), ioctl(2) and plx_kernel_fd.
#include <fcntl.h>
#include <sys/ioctl.h>

#include <cstdarg>

#include "epoll/eventpoll.h"
#include "epoll/kernel_files.h"
#include "pollux/pollux.h"
#include "stack/api/addresses.h"
#include "stack/api/errno_result.h"
#include "stack/core/host.h"
#include "stack/core/inside.h"
#include "stack/socket/sockopt.h"

namespace pollux {
namespace {

// What F_SETFL may change (Linux: SETFL_MASK), as far as it exists for sockets and sets.
constexpr int kSettableFlags = O_APPEND | O_NONBLOCK | O_NDELAY | O_DIRECT | O_NOATIME;

// ioctl_eventpoll(2); not in Debian 12's headers.
struct EpollParams {
  std::uint32_t busy_poll_usecs;
  std::uint16_t busy_poll_budget;
  std::uint8_t prefer_busy_poll;
  std::uint8_t pad;
};
constexpr std::uint16_t kMostBudget = 64;  // without CAP_NET_ADMIN. Linux: NAPI_POLL_WEIGHT
constexpr unsigned long kSetParams = _IOW(0x8A, 0x01, EpollParams);
constexpr unsigned long kGetParams = _IOR(0x8A, 0x02, EpollParams);

Result<FileRef> file_of(int fd) {
  Host* host = pollux::host();
  FileRef file = host ? host->fds().get(fd) : FileRef();
  if (!file) return Errno::bad_descriptor;
  return file;
}

Result<int> duplicate(int fd, int from, bool close_on_exec) {
  ASSIGN_OR_RETURN(const FileRef file, file_of(fd));
  file->get();
  const Result<int> number = host()->fds().install(file.get(), close_on_exec, from);
  if (!number) file->put();
  return number;
}

Result<int> duplicate_at(int from, int to, bool close_on_exec) {
  ASSIGN_OR_RETURN(const FileRef file, file_of(from));
  file->get();
  const Result<void> done = host()->fds().install_at(file.get(), close_on_exec, to);
  if (done.ok()) return to;
  file->put();
  return done.error();
}

Result<int> control(int fd, int command, long argument) {
  ASSIGN_OR_RETURN(const FileRef file, file_of(fd));
  FdTable& fds = host()->fds();
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      return duplicate(fd, static_cast<int>(argument), command == F_DUPFD_CLOEXEC);
    case F_GETFD: {
      ASSIGN_OR_RETURN(const bool close_on_exec, fds.close_on_exec(fd));
      return close_on_exec ? FD_CLOEXEC : 0;
    }
    case F_SETFD:
      RETURN_IF_ERROR(fds.set_close_on_exec(fd, (argument & FD_CLOEXEC) != 0));
      return 0;
    case F_GETFL:
      return file->status_flags();
    case F_SETFL:
      file->set_status_flags((file->status_flags() & ~kSettableFlags) |
                             (static_cast<int>(argument) & kSettableFlags));
      return 0;
    default:
      return Errno::invalid;
  }
}

Result<int> set_non_blocking(File& file, const int* value) {
  if (is_bad(value)) return Errno::fault;
  const int flags = file.status_flags();
  file.set_status_flags(*value ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
  return 0;
}

Result<int> set_params(EventPoll& set, const EpollParams* params) {
  if (is_bad(params)) return Errno::fault;
  if (params->pad != 0 || params->busy_poll_usecs > INT32_MAX || params->prefer_busy_poll > 1) {
    return Errno::invalid;
  }
  if (params->busy_poll_budget > kMostBudget && !is_privileged()) return Errno::not_permitted;
  set.set_busy_poll({.busy_poll_usecs = params->busy_poll_usecs,
                     .busy_poll_budget = params->busy_poll_budget,
                     .prefer_busy_poll = params->prefer_busy_poll != 0});
  return 0;
}

Result<int> get_params(const EventPoll& set, EpollParams* params) {
  if (is_bad(params)) return Errno::fault;
  const BusyPollParams now = set.busy_poll();
  *params = {now.busy_poll_usecs, now.busy_poll_budget, now.prefer_busy_poll, 0};
  return 0;
}

Result<int> set_request(EventPoll& set, unsigned long request, void* argument) {
  if (request == kSetParams) return set_params(set, static_cast<const EpollParams*>(argument));
  if (request == kGetParams) return get_params(set, static_cast<EpollParams*>(argument));
  return Errno::invalid;
}

Result<int> socket_request(Socket& socket, unsigned long request, void* argument) {
  Inside inside(host()->stack_of(socket));
  ASSIGN_OR_RETURN(const int value, socket.ioctl(request, inside.now()));
  if (is_bad(static_cast<int*>(argument))) return Errno::fault;
  *static_cast<int*>(argument) = value;
  return 0;
}

Result<int> request(int fd, unsigned long request, void* argument) {
  ASSIGN_OR_RETURN(const FileRef file, file_of(fd));
  switch (request) {
    case FIONBIO:
      return set_non_blocking(*file, static_cast<const int*>(argument));
    case FIOCLEX:
    case FIONCLEX:
      RETURN_IF_ERROR(host()->fds().set_close_on_exec(fd, request == FIOCLEX));
      return 0;
    default:
      break;
  }
  switch (file->type()) {
    case FileType::eventpoll:
      return set_request(static_cast<EventPoll&>(*file), request, argument);
    case FileType::socket:
      return socket_request(static_cast<Socket&>(*file), request, argument);
    case FileType::kernel:
      break;
  }
  const int result = ::ioctl(file->kernel_fd(), request, argument);
  if (result < 0) return static_cast<Errno>(errno);
  return result;
}

Result<int> wrap_kernel_descriptor(int kernel_fd) {
  Host* host = pollux::host();
  if (!host) return Errno::network_down;
  ASSIGN_OR_RETURN(KernelFile * file, KernelFile::create(kernel_fd));
  const Result<int> number = host->fds().install(file, false);
  if (!number) file->put();
  return number;
}

}  // namespace
}  // namespace pollux

using namespace pollux;

extern "C" {

int plx_close(int fd) {
  Host* host = pollux::host();
  return host ? to_return(host->fds().close(fd)) : fail(Errno::bad_descriptor);
}

int plx_dup(int fd) { return to_return(duplicate(fd, 0, false)); }

int plx_dup2(int from, int to) {
  if (from != to) return to_return(duplicate_at(from, to, false));
  const Result<FileRef> file = file_of(from);
  return file.ok() ? to : fail(file.error());
}

int plx_dup3(int from, int to, int flags) {
  if ((flags & ~O_CLOEXEC) != 0 || from == to) return fail(Errno::invalid);
  return to_return(duplicate_at(from, to, (flags & O_CLOEXEC) != 0));
}

int plx_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  return to_return(control(fd, command, argument));
}

int plx_ioctl(int fd, unsigned long request_number, ...) {
  va_list arguments;
  va_start(arguments, request_number);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  return to_return(request(fd, request_number, argument));
}

int plx_kernel_fd(int kernel_fd) { return to_return(wrap_kernel_descriptor(kernel_fd)); }

}  // extern "C"
