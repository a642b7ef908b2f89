# table.py - what was tried, on which card, with which result.
import time

from session import CheckFailed


class Table:
    """A row for each card and configuration, a column for each check."""

    def __init__(self):
        self.columns = []
        self.rows = {}
        self.passed = self.failed = 0

    def check(self, model, variant, column, function, *given):
        """Runs one check, prints its line, notes its cell; true if it is right."""
        start = time.monotonic()
        try:
            said = function(*given)
        except (CheckFailed, RuntimeError, OSError) as error:
            self.note(model, variant, column, "FAIL", str(error))
            return False
        said = said if isinstance(said, str) and said else ""
        self.note(model, variant, column, said or "ok",
                  f"{said}{' ' if said else ''}({time.monotonic() - start:.1f} s)")
        return True

    def note(self, model, variant, column, cell, text):
        is_right = cell != "FAIL"
        print(f"{'ok  ' if is_right else 'FAIL'} {model}: {variant}: {column}: {text}", flush=True)
        self.passed += is_right
        self.failed += not is_right
        if column not in self.columns:
            self.columns.append(column)
        row = self.rows.setdefault((model, variant), {})
        if row.get(column) != "FAIL":
            row[column] = cell

    def markdown(self):
        lines = ["| card | configuration | " + " | ".join(self.columns) + " |",
                 "|---" * (len(self.columns) + 2) + "|"]
        for (model, variant), cells in self.rows.items():
            words = [cells.get(column, "") for column in self.columns]
            lines.append(f"| {model} | {variant} | " + " | ".join(words) + " |")
        return "\n".join(lines) + "\n"
