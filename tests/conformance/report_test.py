#!/usr/bin/env python3
# report_test.py - the report on small trees of its own: what passes, fails, is not run, is unknown.
import importlib.machinery
import importlib.util
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from citations import citations_of  # noqa: E402
from results import Results  # noqa: E402
from rows import Row, read_decisions, read_rows  # noqa: E402

_loader = importlib.machinery.SourceFileLoader("report", os.path.join(HERE, "report"))
_report = importlib.util.module_from_spec(importlib.util.spec_from_loader("report", _loader))
_loader.exec_module(_report)

ROWS = """# a comment
[One]
MUST-1 | RFC 1 | one
MUST-2 | RFC 1 | two
MUST-3 | RFC 1 | three
5961-3.2 | RFC 2 | four
5961-3.2a | RFC 2 | five
[Two: open]
MUST-9 | RFC 3 | nine
"""


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        self.build = os.path.join(self.root, "build")
        self.rows = read_rows(self.write("rows.txt", ROWS))

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def cite(self):
        return citations_of(self.root, self.rows)

    def recorded(self, *records, programs=()):
        """A build of `programs` {name: [source]} whose log has `records` (name, result, stdout)."""
        info = {"directories": {"source": self.root, "build": self.build}}
        self.write("build/meson-info/meson-info.json", json.dumps(info))
        targets = [{"filename": [f"{self.build}/b/{name}"],
                    "target_sources": [{"sources": [os.path.join(self.root, s) for s in sources]}]}
                   for name, sources in dict(programs).items()]
        tests = [{"name": name, "cmd": ["/a.sh", f"b/{name}"]} for name in dict(programs)]
        self.write("build/meson-info/intro-targets.json", json.dumps(targets))
        self.write("build/meson-info/intro-tests.json", json.dumps(tests))
        lines = [json.dumps({"name": f"p:s / {name}", "result": result, "stdout": output})
                 for name, result, output in records]
        self.write("build/meson-logs/s.json", "\n".join(lines))
        return Results(self.build)

    def verdicts(self, results, decisions=()):
        citations, _ = self.cite()
        decisions = dict(decisions)
        return {label: _report.verdict_of(row, citations.get(label, []), results, decisions)[0]
                for label, row in self.rows.items()}


class Citations(Tree):
    def test_the_comment_above_and_the_body_belong_to_a_test(self):
        self.write("tests/a_test.cc", "// MUST-1.\n// More.\nTEST(A, one) {\n}\n"
                   "TEST_F(A, two) {  // MUST-2\n  x();  // 5961-3.2a\n}\n")
        citations, unknown = self.cite()
        self.assertEqual([t.name for t in citations["MUST-1"]], ["A.one"])
        self.assertEqual([t.name for t in citations["MUST-2"]], ["A.two"])
        self.assertEqual([t.name for t in citations["5961-3.2a"]], ["A.two"])
        self.assertNotIn("5961-3.2", citations)
        self.assertEqual(unknown, [])

    def test_a_comment_before_all_tests_is_about_the_file(self):
        self.write("tests/a_test.cc",
                   "// a_test.cc - MUST-1\nint x;\n\nTEST(A, one) {}\nTEST(A, two) {}\n")
        self.assertEqual([t.name for t in self.cite()[0]["MUST-1"]], ["A.one", "A.two"])

    def test_ranges_scripts_and_twin_cases(self):
        self.write("tests/twin/cases_x.cc",
                   "// MUST-1 to MUST-3.\nvoid b18_1_masks(Twin& t) {\n}\n")
        self.write("tests/packetdrill/a/b.pkt", "# 5961-3.2, and a word\n")
        citations, _ = self.cite()
        self.assertEqual(citations["MUST-2"][0].name, "18.1")
        self.assertEqual(str(citations["5961-3.2"][0]), "tests/packetdrill/a/b.pkt")

    def test_code_is_no_comment_and_a_slip_is_said(self):
        self.write("tests/a_test.cc", 'TEST(A, one) {\n  f("MUST-1");\n  g();  // MUST-44\n}\n')
        citations, unknown = self.cite()
        self.assertEqual(citations, {})
        self.assertEqual(unknown, [("tests/a_test.cc:3", "MUST-44")])


class Verdicts(Tree):
    SOURCE = ("// MUST-1\nTEST(A, one) {}\n// MUST-2\nTEST_P(A, two) {}\n"
              "// MUST-3\nTEST(A, three) {}\n")

    def test_passed_failed_and_not_run(self):
        self.write("tests/a_test.cc", self.SOURCE)
        output = ("[       OK ] A.one (0 ms)\n[       OK ] X/A.two/0 (0 ms)\n"
                  "[  FAILED  ] X/A.two/1 (0 ms)\n")
        results = self.recorded(("a", "FAIL", output), programs={"a": ["tests/a_test.cc"]})
        self.assertEqual(self.verdicts(results),
                         {"MUST-1": "PASS", "MUST-2": "FAILING", "MUST-3": "FAILING",
                          "MUST-9": "OPEN", "5961-3.2": "FAILING", "5961-3.2a": "FAILING"})

    def test_a_decision_does_not_hide_a_failure(self):
        self.write("tests/a_test.cc", self.SOURCE)
        results = self.recorded(("a", "FAIL", "[  FAILED  ] A.one (0 ms)\n"),
                                programs={"a": ["tests/a_test.cc"]})
        decided = {"MUST-1": ("DEVIATION", "why"), "MUST-2": ("N/A", "why"),
                   "MUST-3": ("NOTE", "but")}
        verdicts = self.verdicts(results, decided)
        self.assertEqual([verdicts[f"MUST-{n}"] for n in (1, 2, 3)], ["FAILING", "N/A", "FAILING"])

    def test_a_note_stands_beside_the_test(self):
        self.write("tests/a_test.cc", self.SOURCE)
        results = self.recorded(("a", "OK", "[       OK ] A.one (0 ms)\n"),
                                programs={"a": ["tests/a_test.cc"]})
        tests = self.cite()[0]["MUST-1"]
        self.assertEqual(
            _report.verdict_of(self.rows["MUST-1"], tests, results, {"MUST-1": ("NOTE", "but")}),
            ("PASS", "tests/a_test.cc: A.one; but"))

    def test_scripts_and_programs(self):
        self.write("tests/packetdrill/a/good.pkt", "# MUST-1\n")
        self.write("tests/packetdrill/a/bad.pkt", "# MUST-2\n")
        self.write("tests/sim/flood.cc", "// flood.cc - MUST-3\nint main() {}\n")
        self.write("tests/interop/x_test.sh", "# 5961-3.2\n")
        self.write("tests/interop/y_test.sh", "# 5961-3.2a\n")
        self.write("build/logs/interop-x.log", "ok one\n1 passed, 0 failed, 0 skipped\n")
        self.write("build/logs/interop-y.log", "FAIL one\n0 passed, 1 failed, 0 skipped\n")
        results = self.recorded(
            ("packetdrill", "FAIL", "FAILED a/bad.pkt\n1 passed, 1 failed, 0 skipped\n"),
            ("flood", "OK", ""), programs={"flood": ["tests/sim/flood.cc"]})
        self.assertEqual(self.verdicts(results),
                         {"MUST-1": "PASS", "MUST-2": "FAILING", "MUST-3": "PASS",
                          "MUST-9": "OPEN", "5961-3.2": "PASS", "5961-3.2a": "FAILING"})

    def test_twin_lines(self):
        self.write("tests/twin/cases_x.cc",
                   "// MUST-1\nvoid b1_1_x(Twin& t) {}\n// MUST-2\nvoid b1_2_x(Twin& t) {}\n")
        output = ("1.1     kernel ok     Pollux same       x\n"
                  "1.2     kernel ok     Pollux DIFFERENT  x\n")
        verdicts = self.verdicts(self.recorded(("twin", "FAIL", output)))
        self.assertEqual((verdicts["MUST-1"], verdicts["MUST-2"]), ("PASS", "FAILING"))


class Files(Tree):
    def test_the_projects_own_are_well_formed(self):
        rows = read_rows(os.path.join(HERE, "rows.txt"))
        self.assertIsInstance(rows["MUST-69"], Row)
        self.assertTrue({f"MUST-{n}" for n in range(1, 70)} <= set(rows))
        self.assertTrue({f"SHLD-{n}" for n in range(1, 32)} <= set(rows))
        self.assertIn("MUST-51", read_decisions(os.path.join(HERE, "decisions.txt"), rows))

    def test_mistakes_are_said(self):
        for text in ("MUST-1 | x\n", "linger | a | b\n", "MUST-1 | a | b\nMUST-1 | a | b\n"):
            with self.assertRaises(SystemExit):
                read_rows(self.write("bad.txt", text))
        for text in ("MUST-7 | N/A | no such row\n", "MUST-1 | PASS | no\n"):
            with self.assertRaises(SystemExit):
                read_decisions(self.write("bad.txt", text), self.rows)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=0)
    failed = len(program.result.failures) + len(program.result.errors)
    print(f"{program.result.testsRun - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)
