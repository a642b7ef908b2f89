# tree_rules.py - the rules about the whole tree: yield (path, line, message, is it a warning).
import os
import re
import tomllib

_MUST = re.compile(r"\bMUST-\d+\b")
_ROW = re.compile(r"\b(?:MUST|SHLD|MAY|REC)-\d+\b")
_ROWS = re.compile(r"\b((?:MUST|SHLD|MAY)-)(\d+) to \1(\d+)\b")


def unbuilt_sources(tree):
    built = tree.built_sources()
    for source in tree.sources:
        if source.path.endswith((".cc", ".cpp", ".c")) and source.path not in built:
            yield source.path, 1, "in no meson.build", False


def _mirrored_folders(folder):
    """tests/unit/tcp (and tcp_outer, a part of it) mirrors stack/tcp; tests/unit/epoll epoll."""
    inner = folder[len("tests/unit"):].strip("/")
    found = [inner, "stack/" + inner, "stack/" + inner.split("_")[0]]
    if inner.startswith("config"):
        found.append("stack/api")
    return found


def tests_without_source(tree):
    for source in tree.sources:
        if not source.is_in("tests/unit") or not source.name.endswith("_test.cc"):
            continue
        stem = source.name[:-len("_test.cc")]
        if re.match(r"rfc\d+_", stem):
            continue
        stems = {os.path.splitext(s.name)[0] for s in tree.sources if s.is_cpp and
                 s.folder in _mirrored_folders(source.folder)}
        if not any(stem == s or stem.startswith(s + "_") for s in stems):
            yield source.path, 1, f"no source file that {source.name} tests", False


def _defined_words(tree):
    words = set()
    for source in tree.cpp_in("stack", "epoll", "drivers"):
        words.update(re.findall(r"~?\b\w+", source.cpp.code))
    return words


def thirty_second_table(tree):
    """Backticked functions and files in the tables of stack/README.md must exist."""
    path = "stack/README.md"
    text = tree.text_of(path)
    if text is None:
        return
    words = _defined_words(tree)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("|"):
            continue
        for code in re.findall(r"`([^`]+)`", line):
            message = _missing(tree, words, code)
            if message:
                yield path, number, message, False


def _missing(tree, words, code):
    if "/" in code and re.fullmatch(r"[\w./-]+", code):
        known = any(p == code or p == "stack/" + code or p.startswith(code.rstrip("/") + "/") or
                    p.startswith("stack/" + code.rstrip("/") + "/") or
                    os.path.splitext(p)[0] in (code, "stack/" + code) for p in tree.paths)
        return None if known else f"`{code}` does not exist"
    if re.fullmatch(r"[\w:~]+(\(.*\))?", code) and ("(" in code or "::" in code):
        for word in re.sub(r"\(.*\)", "", code).split("::"):
            if word and word not in words:
                return f"no function `{code}` in the sources"
    elif re.fullmatch(r"\w+\.(?:cc|h)", code):
        if not any(os.path.basename(p) == code for p in tree.paths):
            return f"`{code}` does not exist"
    return None


def kernel_names(tree):
    """epoll/README.md: each of our names beside a kernel's stands in a file of the third column."""
    path = "epoll/README.md"
    for number, line in enumerate((tree.text_of(path) or "").split("\n"), 1):
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or not cells[2]:
            continue
        words = {}
        for file in cells[2]:
            source = tree.by_path.get("epoll/" + file) or tree.by_path.get(file)
            if source is None:
                yield path, number, f"`{file}` does not exist", False
            else:
                words[file] = set(re.findall(r"\w+", source.cpp.code))
        used = {word for name in cells[1] for word in re.findall(r"\w+", name)}
        for word in sorted(used - set().union(*words.values())):
            yield path, number, f"`{word}` is not in {', '.join(cells[2])}", False
        for file in words:
            if not used & words[file]:
                yield path, number, f"`{file}` has none of the names", False


def _keys(table, out):
    for key, value in table.items():
        out.add(key)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                _keys(inner, out)
    return out


def _named_keys(table):
    """Tables whose names the user chooses: [port.NAME] and the like; their names are no keys."""
    names = set()
    for outer in ("port", "interface"):
        inner = table.get(outer)
        if isinstance(inner, dict):
            names.update(name for name, value in inner.items() if isinstance(value, dict))
    return names


def undocumented_keys(tree):
    readme = tree.text_of("config/README.md")
    configs = sorted(p for p in tree.paths if re.fullmatch(r"config/[^/]+\.toml", p))
    if not configs and readme is None:
        return
    documented = set(re.findall(r"\w+", readme or ""))
    for path in configs:
        text = tree.text_of(path)
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            yield path, 1, f"not TOML: {error}", False
            continue
        for key in sorted(_keys(table, set()) - _named_keys(table) - documented):
            line = text[:max(text.find(key), 0)].count("\n") + 1
            yield path, line, f"key `{key}` is missing in config/README.md", False
    for source in tree.cpp_in("stack/api"):
        if source.name == "config_keys.h":
            yield from _undocumented_in_code(source, documented)


def _undocumented_in_code(source, documented):
    """config_keys.h is the list of all keys: each text in it is one."""
    code = re.sub(r"(?m)^#(?:include|pragma).*$", "", source.cpp.with_strings)
    for match in re.finditer(r'"([a-z][a-z0-9_]*)"', code):
        if match.group(1) not in documented:
            line = code.count("\n", 0, match.start()) + 1
            yield source.path, line, f"key `{match.group(1)}` is missing in config/README.md", False


def untested_musts(tree):
    tested = set()
    for path in tree.paths:
        if path.startswith("tests/") and not path.startswith("tests/tidy/"):
            tested.update(_MUST.findall(tree.text_of(path)))
    seen = set()
    for source in tree.cpp_in("stack"):
        for match in _MUST.finditer(source.text):
            label = match.group(0)
            if label not in tested and label not in seen:
                seen.add(label)
                yield source.path, source.line_of(match.start()), f"no test cites {label}", True


def _rows(tree):
    text = tree.text_of("tests/conformance/rows.txt") or ""
    return set(re.findall(rf"^({_ROW.pattern}) \|", text, re.MULTILINE))


def cited_rows_exist(tree):
    rows = _rows(tree)
    for source in tree.cpp_in("stack", "epoll", "drivers") if rows else ():
        for match in _ROW.finditer(source.text):
            if match.group(0) not in rows:
                message = f"{match.group(0)} is not in tests/conformance/rows.txt"
                yield source.path, source.line_of(match.start()), message, False


def rows_cited(tree):
    """How many rows RFC 9293 has, and how many of them the code cites."""
    rows = _rows(tree)
    cited = set()
    for source in tree.cpp_in("stack", "epoll", "drivers"):
        cited.update(_ROW.findall(source.text))
        for group, first, last in _ROWS.findall(source.text):
            cited.update(f"{group}{number}" for number in range(int(first), int(last) + 1))
    return len(rows), len(rows & cited)


def unit_tests_named(tree):
    """elsewhere.h sends the reader of the twin report to unit tests, by name."""
    tests = set()
    for source in tree.cpp_in("tests/unit"):
        tests.update(re.findall(r"^TEST(?:_F|_P)?\(\w+,\s*(\w+)\)", source.text, re.MULTILINE))
    for source in tree.cpp_in("tests/twin"):
        if source.name != "elsewhere.h":
            continue
        text = re.sub(r'"\s*"', "", source.text)
        for name in re.findall(r"unit test (\w+)", text):
            if name not in tests:
                yield source.path, 1, f"no unit test `{name}`", False


def safety_is_described(tree):
    """README.md says what is kept apart and what is not, and where a weakness is reported."""
    text = tree.text_of("README.md") or ""
    section = re.search(r"^## Safety\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if "apps/preload/preload.h" not in tree.paths:
        return
    for word in ("no sandbox", "set-user-ID", "SIGKILL", "security updates", "Report"):
        if not section or word not in section.group(1):
            yield "README.md", 1, f"its section Safety says nothing of: {word}", False


def promises_tested(tree):
    """The table of tests/preload/README.md: each `file: test` in it exists."""
    path = "tests/preload/README.md"
    for number, line in enumerate((tree.text_of(path) or "").split("\n"), 1):
        if not line.startswith("|"):
            continue
        for file, name in re.findall(r"`([\w./]+): ([^`]+)`", line):
            text = tree.text_of("tests/" + file)
            if text is None:
                yield path, number, f"`{file}` does not exist", False
            elif name not in text:
                yield path, number, f"`{name}` is not in {file}", False


def _interop_cases(tree):
    """The names of all cases of tests/interop, and those of its tests that are one case each."""
    cases = set()
    for path in tree.paths:
        if re.fullmatch(r"tests/interop/\w+_test\.(?:sh|py)", path):
            cases.add(os.path.basename(path))
            cases.update(re.findall(r'\b(?:check|tried|says) "([^"$]+)"', tree.text_of(path)))
    return cases


def catalogue_cases(tree):
    """apps/README.md: each row of the catalogue names its cases, and each of them exists."""
    path = "apps/README.md"
    cases = _interop_cases(tree)
    in_catalogue = False
    for number, line in enumerate((tree.text_of(path) or "").split("\n"), 1):
        last = line.rstrip("| ").rpartition("|")[2].strip()
        in_catalogue = line.startswith("|") and (in_catalogue or last == "Case")
        if not in_catalogue or last == "Case" or not last.strip("-"):
            continue
        named = re.findall(r"`([^`]+)`", line.strip().strip("|").rpartition("|")[2])
        if not named:
            yield path, number, "a row without a case", False
        for case in named:
            if case not in cases:
                yield path, number, f"no case `{case}` in tests/interop", False


TREE_RULES = (unbuilt_sources, tests_without_source, thirty_second_table, kernel_names,
              undocumented_keys, untested_musts, cited_rows_exist, unit_tests_named,
              promises_tested, safety_is_described, catalogue_cases)
