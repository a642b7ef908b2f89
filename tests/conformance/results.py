# results.py - what the last run of each suite recorded: which tests passed, which failed.
import glob
import json
import os
import re

_GTEST_LINE = re.compile(r"^\[ +(OK|FAILED) +\] ([\w/]+\.[\w/]+)", re.MULTILINE)
_TWIN_LINE = re.compile(r"^(\d+\.\d+[a-z]?)\s+kernel (\S+)\s+Pollux (\S+)", re.MULTILINE)
_SCRIPT_LINE = re.compile(r"^FAILED (\S+)$", re.MULTILINE)
_COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


class Results:
    """Of one build directory. verdict(test) is "passed", "failed" or "not run"."""

    def __init__(self, build):
        self._gtest, self._twin, self._programs, self._scripts = {}, {}, {}, None
        self._build = build
        with open(os.path.join(build, "meson-info", "meson-info.json"), encoding="utf-8") as file:
            directories = json.load(file)["directories"]
        self._root = directories["source"]
        self._programs_of = self._read_programs(directories["build"])
        logs = glob.glob(os.path.join(build, "meson-logs", "*.json"))
        for path in sorted(logs, key=os.path.getmtime):
            with open(path, encoding="utf-8") as log:
                for line in log:
                    self._take(json.loads(line))

    def _read_programs(self, built_in):
        """source file -> the names of the meson tests whose program is built from it"""
        folder = os.path.join(self._build, "meson-info")
        with open(os.path.join(folder, "intro-targets.json"), encoding="utf-8") as file:
            targets = json.load(file)
        with open(os.path.join(folder, "intro-tests.json"), encoding="utf-8") as file:
            tests = json.load(file)
        names = {}
        for test in tests:
            for word in test["cmd"]:
                path = os.path.realpath(os.path.join(built_in, word))
                names.setdefault(path, set()).add(test["name"])
        programs = {}
        for target in targets:
            files = map(os.path.realpath, target["filename"])
            tested = set().union(*(names.get(file, set()) for file in files))
            for group in target["target_sources"]:
                for source in group.get("sources", []) if tested else ():
                    programs.setdefault(os.path.realpath(source), set()).update(tested)
        for path, tested in names.items():  # a script that is a test itself
            programs.setdefault(path, set()).update(tested)
        return programs

    def _take(self, record):
        name = record["name"].split(" / ")[-1]
        text = record.get("stdout") or ""
        self._programs[name] = "passed" if record["result"] == "OK" else "failed"
        if record["result"] == "SKIP":
            self._programs[name] = "not run"
        for verdict, test in _GTEST_LINE.findall(text):
            plain = ".".join(part.split("/")[i] for part, i in zip(test.split("."), (-1, 0)))
            if verdict == "OK":
                self._gtest.setdefault((name, plain), "passed")
            else:
                self._gtest[(name, plain)] = "failed"
        for number, kernel, pollux in _TWIN_LINE.findall(text):
            is_right = kernel == "ok" and pollux in ("same", "deviates")
            self._twin[number] = "passed" if is_right else "failed"
        if name == "packetdrill" and _COUNTS.search(text):
            self._scripts = {os.path.basename(path) for path in _SCRIPT_LINE.findall(text)}

    def verdict(self, test):
        if test.kind == "twin":
            return self._twin.get(test.name, "not run")
        programs = self._programs_of.get(os.path.realpath(os.path.join(self._root, test.path)), ())
        if test.kind == "gtest":
            keys = [(program, test.name) for program in programs]
            found = [self._gtest[key] for key in keys if key in self._gtest]
        elif test.path.endswith(".pkt"):
            found = [] if self._scripts is None else [
                "failed" if os.path.basename(test.path) in self._scripts else "passed"]
        elif programs:
            found = [self._programs[p] for p in programs if p in self._programs]
        else:
            found = self._suite_log(test.path)
        if "failed" in found:
            return "failed"
        return "passed" if "passed" in found else "not run"

    def _suite_log(self, path):
        """What tests/run kept of a suite that is a script, as tests/interop/NAME_test.sh."""
        folder, name = os.path.split(path)
        suite = os.path.splitext(name)[0].removesuffix("_test")
        log = os.path.join(self._build, "logs", f"{os.path.basename(folder)}-{suite}.log")
        if not os.path.exists(log):
            return []
        with open(log, encoding="utf-8", errors="replace") as file:
            counts = _COUNTS.findall(file.read())
        if not counts:
            return ["failed"]
        passed, failed, _ = map(int, counts[-1])
        return ["failed"] if failed else ["passed"] if passed else []
