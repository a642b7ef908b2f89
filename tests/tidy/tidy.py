#!/usr/bin/env python3
# tidy.py - the style as a test: sizes, include directions, clocks, forbidden names, promises.
"""Prints `file:line: message` for every breach and exits 1 on any; warnings do not fail."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from code_rules import CODE_RULES  # noqa: E402
from tree import Tree  # noqa: E402
from tree_rules import TREE_RULES, rows_cited  # noqa: E402


def run(root, out=sys.stdout):
    """(breaches, warnings) of the tree at `root`; each is printed to `out`."""
    tree = Tree(root)
    breaches = []
    for source in tree.sources:
        for rule in CODE_RULES:
            breaches += [(source.path, line, text) for line, text in rule(source)]
    warnings = []
    for rule in TREE_RULES:
        for path, line, text, is_warning in rule(tree):
            (warnings if is_warning else breaches).append((path, line, text))
    for path, line, text in sorted(breaches):
        print(f"{path}:{line}: {text}", file=out)
    for path, line, text in sorted(warnings):
        print(f"{path}:{line}: warning: {text}", file=out)
    rows, cited = rows_cited(tree)
    if rows:
        print(f"tidy: the code cites {cited} of {rows} rows of RFC 9293", file=out)
    return len(breaches), len(warnings), len(tree.sources)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default_root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser.add_argument("--root", default=os.path.normpath(default_root))
    breaches, warnings, files = run(parser.parse_args().root)
    print(f"tidy: {files} files, {breaches} breaches, {warnings} warnings")
    print("1 passed, 0 failed, 0 skipped" if breaches == 0 else "0 passed, 1 failed, 0 skipped")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
