#!/usr/bin/env python3
# wake_table.py - the percentiles of one tests/bench/wake, the least of its runs.
import glob
import json
import os
import sys

PERCENTILES = ["p50", "p90", "p99", "p99.9"]
ROWS = [("pollux-asleep", "Pollux asleep"), ("kernel-asleep", "kernel asleep"),
        ("pollux-spinning", "Pollux spinning"), ("kernel-spinning", "kernel spinning")]


def least(folder, name):
    """{percentile: us} of the round trips to one kind of server."""
    runs = []
    for file in glob.glob(os.path.join(folder, name + ".*")):
        with open(file, encoding="ascii") as source:
            runs.append(json.load(source)["latency_ns"])
    return {p: min(run[p] for run in runs) / 1000 for p in PERCENTILES}


def row(label, values):
    return f"{label:30}" + "".join(f"{values[p]:10.1f}" for p in PERCENTILES)


def main():
    tables = {name: least(sys.argv[1], name) for name, _ in ROWS}
    print(f"{'round trip in us, server':30}" + "".join(f"{p:>10}" for p in PERCENTILES))
    for name, label in ROWS:
        print(row(label, tables[name]))
    if any(tables[side + "-spinning"]["p50"] > tables[side + "-asleep"]["p50"]
           for side in ("pollux", "kernel")):
        print("\nSpinning was slower than sleeping: the cores are not free, and these figures are "
              "the\nscheduler's.")
        return 1
    print()
    for side in ("pollux", "kernel"):
        asleep, spinning = tables[side + "-asleep"], tables[side + "-spinning"]
        cost = {p: asleep[p] - spinning["p50"] for p in PERCENTILES}
        print(row(f"{side.capitalize()}: waking up", cost))
    print("\nWaking up: what a server asleep adds to the median round trip of one that spins. "
          "1,000 idle\nconnections, a request every 5 ms; the least of alternating runs, for every "
          "disturbance adds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
