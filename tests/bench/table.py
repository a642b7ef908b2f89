#!/usr/bin/env python3
# table.py - the medians of one tests/bench/run, and what they are of the raw device and the kernel.
import glob
import json
import os
import statistics
import sys

STACKS = [("pollux-single", "Pollux, one thread"), ("pollux-shared", "Pollux, shared"),
          ("kernel-spinning", "kernel, spinning"), ("kernel-blocking", "kernel, blocking")]


def median(values):
    return statistics.median(values) if values else None


def readings(folder, pattern):
    for name in glob.glob(os.path.join(folder, pattern)):
        with open(name, encoding="ascii") as source:
            yield source.read()


def figures(folder):
    """{stack: {"p50", "p99" in us, "many", "deep" in requests/s}}; None: not measured."""
    raw = [[int(word) / 1000 for word in text.split()] for text in readings(folder, "raw.*")]
    table = {"raw": {"p50": median([r[0] for r in raw]), "p99": median([r[1] for r in raw])}}
    for stack, _ in STACKS:
        runs = {case: [json.loads(text) for text in readings(folder, f"{stack}-{case}.*")]
                for case in ("one", "many", "deep")}
        table[stack] = {
            "p50": median([run["latency_ns"]["p50"] / 1000 for run in runs["one"]]),
            "p99": median([run["latency_ns"]["p99"] / 1000 for run in runs["one"]]),
            "many": median([run["requests_per_second"] for run in runs["many"]]),
            "deep": median([run["requests_per_second"] for run in runs["deep"]]),
        }
    return table


def number(value, form):
    return "-" if value is None else format(value, form)


def ratio(value, base):
    return "-" if value is None or not base else f"{value / base:.2f}x"


def best_kernel(table, key):
    known = [table[stack][key] for stack, _ in STACKS if stack.startswith("kernel")]
    return max((value for value in known if value is not None), default=None)


def row_text(label, row, table):
    raw_p50 = table["raw"]["p50"]
    text = f"{label:18}| {number(row['p50'], '.2f'):>8} {number(row['p99'], '.2f'):>8}"
    text += f" {ratio(row['p50'], raw_p50):>9} |"
    for key in ("many", "deep"):
        if key in row:
            text += f" {number(row[key], ',.0f'):>10} {ratio(row[key], best_kernel(table, key)):>8}"
    return text


def show(table):
    print(f"{'64 octets':18}| {'round trip, 1 connection':27} | requests/s, 64 connections")
    print(f"{'':18}| {'p50 us':>8} {'p99 us':>8} {'p50/raw':>9} |"
          f" {'depth 1':>10} {'/kernel':>8} {'depth 8':>10} {'/kernel':>8}")
    print("-" * 18 + "+" + "-" * 29 + "+" + "-" * 40)
    print(row_text("raw device, 128", table["raw"], table))
    for stack, label in STACKS:
        print(row_text(label, table[stack], table))
    pollux, kernel = table["pollux-single"]["p50"], table["kernel-spinning"]["p50"]
    if pollux and kernel:
        raw = table["raw"]["p50"]
        print(f"\nPollux's median round trip is {ratio(pollux, raw)} the raw device's; "
              f"the spinning kernel's is {ratio(kernel, pollux)} Pollux's.\n"
              "/kernel compares with the better of the kernel's two rows. One thread, shared: "
              "stack.threads.")


def main():
    table = figures(sys.argv[1])
    show(table)
    missing = [stack for stack, row in table.items() if any(v is None for v in row.values())]
    if missing:
        print(f"not everything could be measured: {', '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
