#!/usr/bin/env python3
# counts.py - adds up the test cases in a log of `meson test`: prints passed, failed, skipped.
"""usage: counts.py MESON_LOG.json   (one JSON object per line and test)"""
import json
import re
import sys

_GTEST = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test", re.MULTILINE),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test", re.MULTILINE),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test", re.MULTILINE),
}
_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def counts_of(test):
    """(passed, failed, skipped) of one meson test: what it printed, or itself as one case."""
    text = test.get("stdout") or ""
    result = test["result"]
    lines = _LINE.findall(text)
    if lines:
        passed, failed, skipped = map(int, lines[-1])
    elif any(pattern.search(text) for pattern in _GTEST.values()):
        found = {key: pattern.findall(text) for key, pattern in _GTEST.items()}
        passed, failed, skipped = (sum(map(int, found[key][-1:])) for key in
                                   ("passed", "failed", "skipped"))
    else:
        passed, failed, skipped = (1, 0, 0) if result == "OK" else (0, 0, result == "SKIP")
    if result not in ("OK", "SKIP", "EXPECTEDFAIL") and failed == 0:
        failed = 1  # it crashed, hung, or failed after its last case
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            for i, count in enumerate(counts_of(json.loads(line))):
                totals[i] += count
    print(*totals)


if __name__ == "__main__":
    main()
