#!/usr/bin/env python3
# hardening_test.py - what is shipped is built so that a bug is good for little.
# Usage: hardening_test.py FORTIFIED LIBPOLLUX LIBPRELOAD PROGRAM...; FORTIFIED: 1 if the build type
# lets glibc check lengths.
import re
import subprocess
import sys

# What libpollux shows beside its calls: they must stand before EAL's own in the process.
ALSO_SHOWN = {"rte_intr_callback_register", "rte_intr_callback_unregister",
              "rte_intr_callback_unregister_pending"}


def readelf(path, *what):
    return subprocess.run(["readelf", "-W", *what, path], check=True, capture_output=True,
                          text=True).stdout


def symbols(path, which):
    lines = subprocess.run(["nm", "-D", which, path], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def checks_of(path):
    header, segments, dynamic = (readelf(path, what) for what in ("-h", "-l", "-d"))
    yield "loads anywhere", bool(re.search(r"Type: +DYN", header))
    yield "relocations are read-only", "GNU_RELRO" in segments
    yield "and all done at the start", bool(re.search(r"BIND_NOW|Flags:.*\bNOW\b", dynamic))
    yield "the stack is no code", bool(re.search(r"GNU_STACK.* RW +0x", segments))
    yield "no segment is both written and run", not re.search(r"LOAD.* RWE ", segments)
    yield "no search path of its own to be led astray by", \
        not re.search(r"R(?:UN)?PATH.*\[(?:[^$/]|/tmp)", dynamic)


def main():
    fortified, paths = sys.argv[1] == "1", sys.argv[2:]
    libpollux = paths[0]
    checks = [(f"{path}: {name}", good) for path in paths for name, good in checks_of(path)]
    shown = symbols(libpollux, "--defined-only")
    strangers = {name for name in shown if not name.startswith("plx_")} - ALSO_SHOWN
    checks.append((f"{libpollux} shows {sorted(strangers)}", not strangers))
    needed = symbols(libpollux, "--undefined-only")
    checks.append((f"{libpollux}: arrays are guarded", "__stack_chk_fail" in needed))
    if fortified:
        checks.append((f"{libpollux}: lengths are checked",
                       any(name.endswith("_chk") for name in needed)))
    failures = [name for name, good in checks if not good]
    for name in failures:
        print("FAIL", name)
    print(f"{len(checks) - len(failures)} passed, {len(failures)} failed, 0 skipped")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
