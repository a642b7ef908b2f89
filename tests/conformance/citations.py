# citations.py - which tests cite which labels: in the comment above a test, or within it.
import os
import re
from collections import namedtuple

# kind: "gtest" (name: Suite.name), "twin" (name: the behaviour's number), "file" (name: "").
Test = namedtuple("Test", "kind path name")
Test.__str__ = lambda test: f"{test.path}: {test.name}" if test.name else test.path

_GTEST = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+),\s*(\w+)\)", re.MULTILINE)
_TWIN = re.compile(r"^void b(\d+)_(\d+[a-z]?)_\w+\(", re.MULTILINE)
_COMMENT = {".cc": "//", ".h": "//", ".py": "#", ".sh": "#", ".pkt": "#", "": "#"}
# What looks like a label of RFC 9293's and is none is a slip of the pen.
_LOOKS_LIKE = re.compile(r"\b(?:MUST|SHLD|MAY|REC)-\d+\b")
_RANGE = re.compile(r"\b((?:MUST|SHLD|MAY)-)(\d+) to \1(\d+)\b")


def _label_pattern(rows):
    alternatives = "|".join(re.escape(label) for label in sorted(rows, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{alternatives})(?![\w-]|\.\d)")


def _comment_of(line, mark):
    """The comment of one line, or nothing. (In a string the mark has no blank before it.)"""
    at = line.find(mark)
    while at > 0 and not line[at - 1].isspace():
        at = line.find(mark, at + 1)
    return line[at + len(mark):] if at >= 0 else ""


def _expand(text):
    def all_of(match):
        numbers = range(int(match[2]), int(match[3]) + 1)
        return " ".join(f"{match[1]}{number}" for number in numbers)
    return _RANGE.sub(all_of, text)


def _tests_in(path, text):
    """[(first line of its comment, Test)], in order; a file without tests of its own is one."""
    lines = text.split("\n")
    found = []
    for kind, pattern in (("gtest", _GTEST), ("twin", _TWIN)):
        for match in pattern.finditer(text) if path.endswith(".cc") else ():
            line = text.count("\n", 0, match.start())
            while line > 0 and lines[line - 1].startswith("//"):
                line -= 1
            found.append((line, Test(kind, path, f"{match[1]}.{match[2]}")))
    return found or [(0, Test("file", path, ""))]


def _cite(path, text, pattern, add):
    mark = _COMMENT[os.path.splitext(path)[1]]
    tests = _tests_in(path, text)
    for number, line in enumerate(text.split("\n")):
        comment = _expand(_comment_of(line, mark))
        labels = set(pattern.findall(comment)) | set(_LOOKS_LIKE.findall(comment))
        above = [test for first, test in tests if first <= number]
        # Above the first test a comment is about the whole file: whatever is in it.
        for label in labels:
            for test in above[-1:] or [test for _, test in tests]:
                add(label, test, f"{path}:{number + 1}")


_NO_TESTS = ("__pycache__", "corpus", "conformance", "tidy")


def _files(root):
    for folder, folders, names in os.walk(os.path.join(root, "tests")):
        folders[:] = sorted(f for f in folders if f not in _NO_TESTS)
        for name in sorted(names):
            if os.path.splitext(name)[1] in _COMMENT:
                yield os.path.relpath(os.path.join(folder, name), root)


def citations_of(root, rows):
    """(label -> [Test], [(place, label that no row has)])"""
    citations, unknown = {}, []

    def add(label, test, place):
        if label not in rows:
            unknown.append((place, label))
        elif test not in citations.setdefault(label, []):
            citations[label].append(test)

    pattern = _label_pattern(rows)
    for path in _files(root):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            _cite(path, file.read(), pattern, add)
    return citations, unknown
