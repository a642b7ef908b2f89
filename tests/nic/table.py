# table.py - what was tried, on which card, with which result.
import time

from session import CheckFailed

HEAD = """\
# Network cards that were tried

Written by `tests/nic/run --all --table config/nics.md`. The cards are QEMU's, in a guest with
Debian's kernel; the peer is another kernel. `tests/nic/README.md` says what each column is.
`tests/nic/models.py` says why uio brings no interrupts under load.
"""


class Row:
    """One card in one configuration: a line of one of the two tables."""

    def __init__(self, table, title, model, variant):
        self.table = table
        self.title = title
        self.names = (model.name, f"`{model.pmd}`, {model.driver}", variant)
        self.cells = {}
        table.rows.append(self)

    def check(self, column, function, *given):
        """Runs one check, prints its line, notes its cell; true if it is right."""
        start = time.monotonic()
        try:
            said = function(*given)
        except (CheckFailed, RuntimeError, OSError) as error:
            return self.note(column, "FAIL", str(error))
        said = said if isinstance(said, str) and said else "ok"
        return self.note(column, said, f"{said} ({time.monotonic() - start:.1f} s)")

    def note(self, column, cell, text):
        is_right = cell != "FAIL"
        word = "ok  " if is_right else "FAIL"
        print(f"{word} {self.names[0]}: {self.names[2]}: {column}: {text}", flush=True)
        self.table.passed += is_right
        self.table.failed += not is_right
        if self.cells.get(column) != "FAIL":
            self.cells[column] = cell
        return is_right


class Table:
    def __init__(self):
        self.rows = []
        self.passed = self.failed = 0

    def row(self, title, model, variant):
        return Row(self, title, model, variant)

    def markdown(self):
        titles = list(dict.fromkeys(row.title for row in self.rows))
        return "\n".join(self._part(title) for title in titles)

    def _part(self, title):
        rows = [row for row in self.rows if row.title == title]
        columns = list(dict.fromkeys(column for row in rows for column in row.cells))
        names = ["card", "driver", "configuration"]
        lines = [f"## {title}", "", f"| {' | '.join(names + columns)} |",
                 "|---" * len(names + columns) + "|"]
        for row in rows:
            cells = [row.cells.get(column, "") for column in columns]
            lines.append(f"| {' | '.join([*row.names, *cells])} |")
        return "\n".join(lines) + "\n"
