#!/usr/bin/env python3
# extract_example.py - writes the program of README.md to a file, so that it is compiled and run.
"""usage: extract_example.py README.md OUT"""
import sys


def example(text):
    blocks = text.split("```c\n")[1:]
    if len(blocks) != 1:
        sys.exit(f"README has {len(blocks)} C programs, not 1")
    return blocks[0].split("```\n")[0]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source, open(sys.argv[2], "w") as out:
        out.write(example(source.read()))
