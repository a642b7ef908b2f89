#!/usr/bin/env python3
# symbols_test.py - a name of libc's that reaches a socket or a set is interposed or excused, and
# what is interposed is called by the tests of this folder, on both sides.
# Usage: symbols_test.py LIBRARY COMMAND...; the libc is the one that this python runs on. COMMAND
# is the test program under the library; the loader says which names it calls (LD_DEBUG=bindings).
import os
import re
import subprocess
import sys
import tempfile

# The calls, without the decorations of their other names.
FAMILIES = """
socket socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt
setsockopt sockatmark isfdtype
read readv pread preadv preadv2 recv recvfrom recvmsg recvmmsg
write writev pwrite pwritev pwritev2 send sendto sendmsg sendmmsg
sendfile splice tee vmsplice copy_file_range
close close_range closefrom dup dup2 dup3 fcntl ioctl fstat fstatat fxstat fxstatat statx lseek
fsync fdatasync ftruncate
poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
fork vfork Fork posix_spawn posix_spawnp pthread_create syscall
fdopen fileno fileno_unlocked dprintf vdprintf
sigaction signal bsd_signal sysv_signal ssignal siginterrupt
""".split()

# Names that may stay libc's, each with the reason.
LEFT = {
    "socketpair": "never an internet socket",
    "posix_spawn": "its child runs in libc; placeholders obey the file actions and flags",
    "posix_spawnp": "as posix_spawn",
    "__libc_pread": "private to the C library's own parts",
    "__libc_pwrite": "private to the C library's own parts",
    "__libc_fcntl64": "private to the C library's own parts",
    "__libc_sigaction": "private to the C library's own parts",
}

# Interposed though they reach nothing: the end of a process or a thread, whose it is, what makes
# descriptors.
ALSO = """
_exit _Exit pthread_cancel setuid setreuid setresuid
eventfd timerfd_create memfd_create pipe pipe2 __pipe open open64
""".split()


def exported(path):
    lines = subprocess.run(["nm", "-D", "--defined-only", path], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def libc_path():
    with open("/proc/self/maps") as maps:
        return next(line.split()[-1] for line in maps if re.search(r"/libc\.so\.6$", line.strip()))


def reaching(names):
    """Of libc's names those that are one of the families in some decoration."""
    decorated = re.compile(r"_{0,2}(?:libc_)?(?P<base>\w+?)(?:64)?(?:v2)?(?:_chk)?$")
    found = set()
    for name in names:
        match = decorated.match(name)
        if name in FAMILIES or name.lstrip("_") in FAMILIES or \
                match and match.group("base") in FAMILIES:
            found.add(name)
    return found


def called(command, side):
    """The library's names that the tests of one side call, found in whatever way."""
    with tempfile.TemporaryDirectory() as folder:
        debug = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": folder + "/log"}
        subprocess.run([*command, f"--gtest_filter=*/{side}"], env=os.environ | debug, check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        log = "".join(open(os.path.join(folder, name), encoding="utf-8").read()
                      for name in os.listdir(folder))
    program = os.path.basename(command[-1])
    binding = rf"binding file \S*{program} \[0\] to \S*libpollux-preload\.so .* symbol `(\w+)'"
    return set(re.findall(binding, log))


def main():
    ours, libcs = exported(sys.argv[1]), exported(libc_path())
    wanted = reaching(libcs)
    assert len(wanted) > 100, wanted
    failures = [f"{name} is not interposed" for name in sorted(wanted - ours - set(LEFT))]
    failures += [f"{name} is interposed and excused" for name in sorted(ours & set(LEFT))]
    allowed = wanted | set(ALSO)
    failures += [f"{name} is visible and no call of libc's" for name in sorted(ours - allowed)]
    for side in ("kernel", "stack"):
        failures += [f"{name} is called by no test on the {side}'s side"
                     for name in sorted(ours - called(sys.argv[2:], side))]
    for failure in failures:
        print("FAIL", failure)
    checks = len(wanted) + 2 * len(ours)
    print(f"{checks - len(failures)} passed, {len(failures)} failed, 0 skipped")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
