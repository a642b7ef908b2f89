#!/usr/bin/env python3
# python_test.py - python's own suites on the kernel and under `pollux run`, verdict by verdict.
"""usage: python_test.py [BUILD]   (the suites of Debian's libpython3.11-testsuite)"""
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

PYTHON = "/usr/bin/python3"
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.abspath(sys.argv[1] if sys.argv[1:] else os.path.join(ROOT, "build-tests"))
RUN = [os.path.join(BUILD, "apps/pollux/pollux"), "run", "-c",
       os.path.join(ROOT, "config/loopback.toml"), "--"]
# A loopback of its own for each run: the suites bind ports by number.
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]

# What differs, each with the reason.
NO_IPV6 = "listens on :: for the stack; ::1, to which it connects, is the kernel's"
DIFFERENT = {
    "test.test_socket.CreateServerFunctionalTest.test_dual_stack_client_v6": NO_IPV6,
    "test.test_socket.CreateServerFunctionalTest.test_tcp6": NO_IPV6,
    "test.test_asyncio.test_events.EPollEventLoopTests.test_create_server_dual_stack": NO_IPV6,
    "test.test_asyncio.test_events.PollEventLoopTests.test_create_server_dual_stack": NO_IPV6,
    "test.test_asyncio.test_events.SelectEventLoopTests.test_create_server_dual_stack": NO_IPV6,
}
# Without a hypervisor's sockets these wait for ever, on the kernel too.
NEVER = ["*VSOCK*"]

# Parts that run side by side: the longest come first.
TASKS = ["*.test_tasks.*", "*.test_futures.*", "*.test_taskgroups.*"]
PROCESSES = ["*.test_subprocess.*", "*.test_ssl.*", "*.test_sslproto.*"]
PARTS = [
    ["test_socket"],
    ["test_asyncio"] + [word for pattern in PROCESSES for word in ("-m", pattern)],
    ["test_asyncio"] + [word for pattern in TASKS for word in ("-m", pattern)],
    ["test_asyncio"] + [word for pattern in TASKS + PROCESSES for word in ("-i", pattern)],
    ["test_epoll", "test_selectors"],
]


def verdict(case):
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed", "".join(child.text or "" for child in case)
    return ("skipped" if "skipped" in kinds else "passed"), ""


def run(prefix, arguments):
    """{test: (verdict, what it said)} of one run of python's own test program."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.xml")
        command = [*ALONE, *prefix, PYTHON, "-m", "test", "--junit-xml", result, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", cwd=folder,
                              timeout=400, check=False)
        try:
            cases = ElementTree.parse(result).iter("testcase")
            verdicts = {case.get("name"): verdict(case) for case in cases}
        except (OSError, ElementTree.ParseError):
            verdicts = {}
        if not verdicts:
            print(" ".join(command), done.stdout[-3000:], sep="\n")
        return verdicts


def run_part(prefix, part):
    ignored = [word for pattern in [*NEVER, *DIFFERENT] for word in ("-i", pattern)]
    return run(prefix, ignored + part)


def both(work):
    """The parts of both sides at once: they mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(2 * len(PARTS)) as pool:
        sides = {side: [pool.submit(work, prefix, part) for part in PARTS]
                 for side, prefix in (("kernel", []), ("stack", RUN))}
        return [{name: found for future in futures for name, found in future.result().items()}
                for futures in sides.values()]


def alone(prefix, name):
    return run(prefix, ["-m", name, name.split(".")[1]]).get(name, ("missing", ""))


def differs(name, kernel, stack):
    """Also when asked again, alone: some of them depend on the load of the machine."""
    if kernel.get(name, ("missing",))[0] == stack.get(name, ("missing",))[0]:
        return False
    kernels, stacks = alone([], name), alone(RUN, name)
    print(f"again  {name}: {kernels[0]} on the kernel, {stacks[0]} on the stack")
    return kernels[0] != stacks[0]


def is_as_listed(name):
    """Their threads' ends may trip the runner itself, which then has no verdict: three tries."""
    return any(is_as_listed_once(name) for _ in range(3))


def is_as_listed_once(name):
    kernels, stacks = alone([], name), alone(RUN, name)
    if (kernels[0], stacks[0]) == ("skipped", "skipped"):
        return True  # a machine without IPv6
    return kernels[0] == "passed" and "::1" in stacks[1] and "ConnectionRefused" in stacks[1]


def main():
    if subprocess.run([*ALONE, PYTHON, "-c", "import test.test_socket, test.libregrtest"],
                      check=False, capture_output=True).returncode != 0:
        print("skip python_test.py: needs root and libpython3.11-testsuite")
        print("0 passed, 0 failed, 1 skipped")
        return False
    kernel, stack = both(run_part)
    names = sorted(set(kernel) | set(stack))
    failures = [f"{name}: {kernel.get(name, ('missing',))[0]} on the kernel, "
                f"{stack.get(name, ('missing',))[0]} on the stack {stack.get(name, ('', ''))[1]}"
                for name in names if differs(name, kernel, stack)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures += [f"{name} is not as its line in DIFFERENT says" for name, is_so in
                     zip(DIFFERENT, pool.map(is_as_listed, DIFFERENT)) if not is_so]
    least = 3000
    if len(kernel) < least:
        failures.append(f"only {len(kernel)} tests ran, of more than {least}")
    for failure in failures:
        print("FAIL", failure)
    counts = [found for found, _ in stack.values()]
    print(f"{counts.count('passed')} tests passed on both, {counts.count('skipped')} were skipped "
          f"by both, {counts.count('failed')} failed on both, {len(DIFFERENT)} differ as listed")
    print(f"{len(names) + len(DIFFERENT) - len(failures)} passed, {len(failures)} failed, "
          "0 skipped")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
