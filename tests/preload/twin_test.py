#!/usr/bin/env python3
# twin_test.py - the twin cases through the preload library, on both kinds of sockets.
# Usage: twin_test.py TOOL CONFIG LIBPRELOAD TWIN_KERNEL
import os
import re
import subprocess
import sys

# What differs when every internet socket is the stack's, each with the reason.
DECIDED = {
    "7.5": "several processes wait on one set: a child owns no stack",
    "9.7": "a child's copy of a descriptor keeps no connection alive",
    "9.8": "a child registers nothing in its parent's stack",
    "9.9": "what is in flight in a message of SCM_RIGHTS is the placeholder",
    "10.3": "stopped and continued, a wait goes on",
    "4.3m": "no order is promised between the kernel's descriptors and ours",
    "4.4m": "as 4.3m",
    "8.4m": "as 4.3m",
    "9.5": "as 4.3m",
}


def wrong_cases(command, environment):
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True,
                         timeout=200, check=False)
    ran = re.search(r"^(\d+) passed, (\d+) failed", run.stdout, re.MULTILINE)
    if not ran or int(ran.group(1)) < 200:
        sys.exit(run.stdout[-2000:] + run.stderr[-2000:] + "\nthe cases did not run")
    wrong = re.findall(r"^(\S+) +kernel WRONG.*\n((?: .*\n)*)", run.stdout, re.MULTILINE)
    return dict(wrong), int(ran.group(1))


def main():
    tool, config, preload, twin = sys.argv[1:]
    kernels, passed = wrong_cases([twin], {"LD_PRELOAD": preload,
                                           "POLLUX_RULES": "to 198.18.0.0/24 stack;"})
    # As the kernel's net.ipv4.tcp_fastopen, which the cases set in their own namespace.
    stacks, more = wrong_cases(
        [tool, "run", "-c", config, "--set", "tcp.fastopen=3", "--", twin], {})
    failures = [f"{case} differs on the kernel:\n{seen}" for case, seen in kernels.items()]
    failures += [f"{case} differs on the stack:\n{seen}" for case, seen in stacks.items()
                 if case not in DECIDED]
    for failure in failures:
        print("FAIL", failure)
    print(f"{passed + more} passed, {len(failures)} failed, 0 skipped")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
