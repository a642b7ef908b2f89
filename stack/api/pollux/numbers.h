/* numbers.h - for the preload library alone, not installed: Pollux with the kernel's descriptor
 * numbers.
 *
 * An unmodified program's numbers are the kernel's: each descriptor of Pollux's is held open there
 * by a placeholder, and every plx_* call takes these numbers. What Pollux does not know, poll and
 * select ask the kernel about.
 */
#ifndef POLLUX_NUMBERS_H
#define POLLUX_NUMBERS_H

#include "pollux/pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where numbers come from. Both may be called by any thread that is inside a plx_* call. */
struct plx_numbers {
  int (*take)(void);             /* a number for a file to come; -1 and errno: there is none */
  void (*give_back)(int number); /* nothing refers to it any more */
};
/* Before plx_init, whose stack then uses these. */
PLX_API void plx_use_numbers(const struct plx_numbers* numbers);
/* After plx_init has failed with EBUSY, a device being another process's: returns when one
 * of these devices has been let go of, however that process ends. plx_init may be called again. */
PLX_API void plx_await_device(void);
/* The number has been closed, or refers to something of the kernel's now, and Pollux has not been
 * asked: it lets go of what it had there. EBADF: it had nothing. */
PLX_API int plx_forget(int fd);
/* A set of Pollux's at `number`, where the program has an epoll descriptor of the kernel's:
 * plx_epoll_wait then delivers the events of both. `kernel_epoll`: a duplicate of that descriptor,
 * which now belongs to the set. ENFILE: too many sets. */
PLX_API int plx_adopt_epoll(int number, int kernel_epoll);
/* In the kernel's half of that set there are `change` registrations more (below 0: fewer). Where
 * there are none, waits do not ask it each time. EBADF, EINVAL: no such set. */
PLX_API int plx_count_kernel_files(int number, int change);
/* The data of events of adopted sets that the program must not see. */
PLX_API uint64_t plx_epoll_hint(void);
/* Where the calling thread sleeps, as long as it lives; a wake ends the sleep, not the call. */
PLX_API void* plx_sleeper(void);
PLX_API void plx_wake(void* sleeper);
/* At the end of the process, while other threads may still be inside calls: closes every
 * descriptor, delivers what was sent (for at most a second), resets what is open then. */
PLX_API void plx_leave(void);

/* Which addresses are the stack's, as the configuration has it; a rule is "at" (for bind) or "to"
 * (for connect and sendto), a network, and "stack" or "kernel", ended by a semicolon; the first
 * that matches counts: "at 127.0.0.0/8 kernel;to 198.18.0.0/24 stack;". Arguments and errors are
 * plx_init's; needs no stack. Null: see plx_error(). Valid until the next call. */
PLX_API const char* plx_rules(const char* config_file, const char* const* settings);

/* What the configuration asks of the machine, a line each: "memory_mb 32", "hugepages_mb 23" where
 * they are used (0: never), and for every port "port net_tap0,iface=plx0 tap0". In all else as
 * plx_rules(). */
PLX_API const char* plx_needs(const char* config_file, const char* const* settings);

#ifdef __cplusplus
}
#endif

#endif /* POLLUX_NUMBERS_H */
