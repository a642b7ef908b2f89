/* pollux.h - the public C API: POSIX socket, epoll, poll and select calls on the stack in this
 * process.
 *
 * Every plx_* call has the signature, the return value, the errno and the semantics of the Linux
 * call without the prefix (see its man page, section 2), with these rules:
 *  - Descriptors are Pollux's own: dense from 0, in a space apart from the kernel's.
 * plx_kernel_fd() brings a kernel descriptor (eventfd, timerfd, pipe, kernel socket) into it, for
 * use in sets, poll and select.
 *  - EFAULT is reported for null pointers only; other bad pointers fault, as in any library.
 *  - With threads = "shared" (the default) any thread may use any descriptor. With "single" a
 * socket and the sets that watch it belong to the thread that used the stack first.
 *  - A signal handler must not call plx_*: it may have interrupted a call, and entering the stack
 * twice aborts the program.
 *  - After fork(2) the child owns no stack: its inherited descriptors answer EBADF. exit(3) without
 * plx_exit() ends the process at once, without resets to the peers.
 */
#ifndef POLLUX_POLLUX_H
#define POLLUX_POLLUX_H

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLX_API __attribute__((visibility("default")))

/* Starts the stack of this process. `config_file`: a TOML file (config/README.md); null: the file
 * that the environment variable POLLUX_CONFIG names, or a stack without devices. `settings`: null,
 * or "key=value" texts ended by a null pointer that override keys of the file
 * ("port.tap0.device=net_tap0", "stack.threads=single"). Once per process. Returns 0, or -1 with
 * errno: EALREADY (already started), EINVAL (configuration), ENODEV (a device cannot be had), EBUSY
 * (it is another process's), ENOMEM, EACCES, EADDRINUSE; plx_error() then says what is wrong and
 * what to do. */
PLX_API int plx_init(const char* config_file, const char* const* settings);
/* Ends the stack as the end of a process does: descriptors are closed, what was sent is delivered
 * (for at most a second), what is open then is reset; devices are closed. No other thread may be
 * inside a call. Safe to call without plx_init; does nothing in a forked child. */
PLX_API void plx_exit(void);
/* The message of the last failed plx_init, in one or more lines without a final newline; "" if
 * none. */
PLX_API const char* plx_error(void);

PLX_API int plx_socket(int domain, int type, int protocol);
PLX_API int plx_bind(int fd, const struct sockaddr* address, socklen_t length);
PLX_API int plx_listen(int fd, int backlog);
PLX_API int plx_accept(int fd, struct sockaddr* address, socklen_t* length);
PLX_API int plx_accept4(int fd, struct sockaddr* address, socklen_t* length, int flags);
PLX_API int plx_connect(int fd, const struct sockaddr* address, socklen_t length);
PLX_API int plx_shutdown(int fd, int how);
PLX_API int plx_getsockname(int fd, struct sockaddr* address, socklen_t* length);
PLX_API int plx_getpeername(int fd, struct sockaddr* address, socklen_t* length);
PLX_API int plx_getsockopt(int fd, int level, int name, void* value, socklen_t* length);
PLX_API int plx_setsockopt(int fd, int level, int name, const void* value, socklen_t length);

PLX_API ssize_t plx_read(int fd, void* buffer, size_t length);
PLX_API ssize_t plx_readv(int fd, const struct iovec* vector, int count);
PLX_API ssize_t plx_recv(int fd, void* buffer, size_t length, int flags);
PLX_API ssize_t plx_recvfrom(int fd, void* buffer, size_t length, int flags, struct sockaddr* from,
                             socklen_t* from_length);
PLX_API ssize_t plx_recvmsg(int fd, struct msghdr* message, int flags);
PLX_API ssize_t plx_write(int fd, const void* buffer, size_t length);
PLX_API ssize_t plx_writev(int fd, const struct iovec* vector, int count);
PLX_API ssize_t plx_send(int fd, const void* buffer, size_t length, int flags);
PLX_API ssize_t plx_sendto(int fd, const void* buffer, size_t length, int flags,
                           const struct sockaddr* to, socklen_t to_length);
PLX_API ssize_t plx_sendmsg(int fd, const struct msghdr* message, int flags);

PLX_API int plx_close(int fd);
PLX_API int plx_dup(int fd);
PLX_API int plx_dup2(int from, int to);
PLX_API int plx_dup3(int from, int to, int flags);
PLX_API int plx_fcntl(int fd, int command, ...);
PLX_API int plx_ioctl(int fd, unsigned long request, ...);

PLX_API int plx_epoll_create(int size);
PLX_API int plx_epoll_create1(int flags);
PLX_API int plx_epoll_ctl(int epfd, int operation, int fd, struct epoll_event* event);
PLX_API int plx_epoll_wait(int epfd, struct epoll_event* events, int maxevents, int timeout_ms);
PLX_API int plx_epoll_pwait(int epfd, struct epoll_event* events, int maxevents, int timeout_ms,
                            const sigset_t* mask);
PLX_API int plx_epoll_pwait2(int epfd, struct epoll_event* events, int maxevents,
                             const struct timespec* timeout, const sigset_t* mask);
PLX_API int plx_poll(struct pollfd* fds, nfds_t count, int timeout_ms);
PLX_API int plx_ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
                      const sigset_t* mask);
PLX_API int plx_select(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set,
                       struct timeval* timeout);
PLX_API int plx_pselect(int n, fd_set* read_set, fd_set* write_set, fd_set* except_set,
                        const struct timespec* timeout, const sigset_t* mask);

/* A Pollux descriptor for the kernel descriptor `kernel_fd`, for plx_epoll_ctl, plx_poll and
 * plx_select. It refers to the kernel's descriptor and does not own it: plx_close of the returned
 * number leaves kernel_fd open. Reads and writes go to kernel_fd by the kernel's own calls. EBADF:
 * kernel_fd is not open. EMFILE: no number is free. */
PLX_API int plx_kernel_fd(int kernel_fd);

/* Calls visit(argument, name, meaning, value) for every counter of the stack and of this process's
 * waits, and for what the ports' drivers count (nic_PORT_NAME). With several queues the counters
 * are sums, and each stack's own follow (stack0_NAME, stack1_NAME, ...). `name` lasts as long as
 * the visit. Returns how many there are. */
PLX_API int plx_counters(void (*visit)(void* argument, const char* name, const char* meaning,
                                       uint64_t value),
                         void* argument);

#ifdef __cplusplus
}
#endif

#endif /* POLLUX_POLLUX_H */
