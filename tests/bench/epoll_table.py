#!/usr/bin/env python3
# epoll_table.py - what one tests/bench/epoll measured, the least of its runs, and the aims.
import glob
import os
import sys

SIDES = ["kernel", "single", "shared"]
AT_MOST = {"single": 0.25, "shared": 0.5}  # of the kernel's
GROWTH = 1.2
SAME = "1 ready of {}, always the same"
SIZES = [10, 1000, 16000, 100000, 1000000]
COMPARED = [SAME.format(1000), "64 ready of 1000"]


def least(folder, side):
    """{name: ns}, in the order in which they were measured."""
    table = {}
    for file in sorted(glob.glob(os.path.join(folder, side + ".*"))):
        with open(file, encoding="ascii") as lines:
            for line in lines:
                name, ns = line.rstrip("\n").split("\t")
                table[name] = min(float(ns), table.get(name, float("inf")))
    return table


def kind_of(name):
    """Orders the rows: the calls of epoll_ctl, then the waits by what is ready, then the rest."""
    kinds = ["ADD", "MOD", "DEL", "always the same", "at random"]
    return next((i for i, kind in enumerate(kinds) if kind in name), len(kinds))


def show(tables):
    print(f"{'ns per call':56}|{'kernel':>8} |{'single':>8}{'':9}|{'shared':>8}")
    print("-" * 56 + "+" + "-" * 9 + "+" + "-" * 17 + "+" + "-" * 17)
    last_kind = None
    for name in sorted(tables["single"], key=kind_of):
        kind = kind_of(name)
        if kind > 2 and kind != last_kind:
            print(f"{'':56}|{'':9}|{'':17}|")
        last_kind = kind
        kernel = tables["kernel"].get(name)
        text = f"{name:56}|{'-' if kernel is None else format(kernel, '.0f'):>8} |"
        for side in ("single", "shared"):
            ns = tables[side][name]
            text += f"{ns:8.0f} " + (f"{ns / kernel:6.2f}x " if kernel else " " * 8) + "|"
        print(text.rstrip("|"))


def show_aim(text, value, aim):
    verdict = "met" if value <= aim else "MISSED"
    print(f"{text:58} {value:5.2f}x, aim {aim:.2f}x: {verdict}")


def show_aims(tables):
    print("\nAims, of Pollux:")
    for side, at_most in AT_MOST.items():
        for name in COMPARED:
            show_aim(f"{side}: {name}, of the kernel's",
                     tables[side][name] / tables["kernel"][name], at_most)
        waits = [tables[side][SAME.format(size)] for size in SIZES]
        show_aim(f"{side}: 1 ready, always the same: the slowest size",
                 max(waits) / waits[0], GROWTH)


def main():
    tables = {side: least(sys.argv[1], side) for side in SIDES}
    print("A wait of Pollux's includes one poll of its device; the kernel's device interrupts. "
          "The least\nof the medians of alternating runs; a busy machine still shows.\n")
    show(tables)
    show_aims(tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
