#!/usr/bin/env python3
# programs_table.py - the medians of one tests/bench/run for unmodified programs.
import glob
import os
import statistics
import sys


def medians(folder, case, side):
    """One median for each number of a measurement; [] if there was none."""
    runs = []
    for name in glob.glob(os.path.join(folder, f"{case}.{side}.*")):
        with open(name, encoding="ascii") as source:
            runs.append([float(word) for word in source.read().split()])
    return [statistics.median(column) for column in zip(*runs)]


def value(folder, case, side, column=0):
    found = medians(folder, case, side)
    return found[column] if len(found) > column else None


def number(one, form):
    return "-" if one is None else format(one, form)


def ratio(one, base):
    return "-" if one is None or not base else f"{one / base:.2f}x"


def row(label, base, one, result, form=",.0f"):
    print(f"{label:44}| {number(base, form):>10} {number(one, form):>10} {result:>8}")


def title(label, base, one, result):
    print(f"\n{label:44}| {base:>10} {one:>10} {result:>8}")
    print("-" * 44 + "+" + "-" * 31)


def show_programs(folder):
    title("unmodified programs at both ends, requests/s", "kernel", "run", "/kernel")
    for case, label in [("nginx", "nginx and wrk: 612 octets, 64 connections"),
                        ("redis-1", "redis GET, 50 connections, depth 1"),
                        ("redis-16", "redis GET, 50 connections, depth 16")]:
        kernel, run = value(folder, case, "kernel"), value(folder, case, "run")
        row(label, kernel, run, ratio(run, kernel))


def show_pair(folder):
    title("one program, its calls plx_* or interposed", "plx_*", "run", "of plx_*")
    native, run = value(folder, "pair-1", "native"), value(folder, "pair-1", "run")
    row("1 connection, 64 octets: p50 us", native, run, ratio(native, run), ".2f")
    native, run = value(folder, "pair-64", "native"), value(folder, "pair-64", "run")
    row("64 connections: requests/s", native, run, ratio(run, native))


def show_threads(folder):
    title("echo, one listener, a set per thread", "1 thread", "4 threads", "4/1")
    for connections in "256", "1024":
        for side, label in [("kernel", "kernel"), ("run", "pollux run")]:
            one, four = (value(folder, f"threads-{threads}-{connections}", side)
                         for threads in (1, 4))
            row(f"{label}, {connections} connections, requests/s", one, four, ratio(four, one))


def show_library(folder):
    title("what the library itself costs", "without", "with", "more")
    for case, column, label, form in [
            ("calls", 0, "write and read on a pipe, ns", ".0f"),
            ("calls", 1, "epoll_wait(0) on a pipe, ns", ".0f"),
            ("true", 0, "/bin/true, ms", ".1f"),
            ("connect", 0, "first connection, ms: it starts the stack", ".1f")]:
        alone, run = (value(folder, case, side, column) for side in ("alone", "run"))
        more = "-" if alone is None or run is None else format(run - alone, form)
        row(label, alone, run, more, form)


def main():
    folder = sys.argv[1]
    show_programs(folder)
    show_pair(folder)
    show_threads(folder)
    show_library(folder)
    print("\nkernel: over veth; run: `pollux run` over memif, both ends. Core 0 serves (an "
          "echo\nserver with threads: all but core 1), core 1 asks.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
