# rows.py - the rows and the decisions, read from their files.
from collections import namedtuple

Row = namedtuple("Row", "label source text group is_open")


def _lines(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line and not line.startswith("#"):
                yield number, line


def _fields(path, number, line):
    fields = [field.strip() for field in line.split("|")]
    if len(fields) != 3 or not all(fields):
        raise SystemExit(f"{path}:{number}: write LABEL | ... | ...")
    return fields


def read_rows(path):
    """label -> Row, in the file's order."""
    rows, group, is_open = {}, "", False
    for number, line in _lines(path):
        if line.startswith("["):
            group = line.strip("[]").removesuffix(": open")
            is_open = line.endswith(": open]")
            continue
        label, source, text = _fields(path, number, line)
        if label.isalpha():
            raise SystemExit(f"{path}:{number}: {label} is a word of any comment")
        if label in rows:
            raise SystemExit(f"{path}:{number}: {label} stands twice")
        rows[label] = Row(label, source, text, group, is_open)
    return rows


def read_decisions(path, rows):
    """label -> (DEVIATION, N/A or NOTE, reason)."""
    decisions = {}
    for number, line in _lines(path):
        label, verdict, reason = _fields(path, number, line)
        if label not in rows:
            raise SystemExit(f"{path}:{number}: no row has the label {label}")
        if verdict not in ("DEVIATION", "N/A", "NOTE") or label in decisions:
            raise SystemExit(f"{path}:{number}: {label}: once, DEVIATION, N/A or NOTE")
        decisions[label] = (verdict, reason)
    return decisions
