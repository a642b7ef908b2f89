# code_rules.py - the rules that look at one file at a time: yield (line, message).
import re

from directions import include_breach

MAX_FUNCTION_LINES = 60
MAX_LINES = {".cc": 500, ".h": 250, ".py": 500}
MAX_COLUMNS = 100
MAX_PARAMETERS = 5
MAX_NESTING = 3

# Signatures that POSIX or a C library gives, not we.
_GIVEN = re.compile(r"^(plx_\w+|recvfrom|sendto|pselect|splice|mmap|pthread_\w+)$")
_GIVEN_FOLDERS = ("apps/preload", "tests/packetdrill")

_DATA_PATH = ("epoll", "drivers", "stack/wire", "stack/link", "stack/ip", "stack/udp", "stack/tcp",
              "stack/socket", "stack/core")
_PROTOCOLS = ("stack/wire", "stack/link", "stack/ip", "stack/udp", "stack/tcp", "stack/socket")

_FORBIDDEN = (
    (re.compile(r"(?<![:\w])new\b(?!\s*\(\s*(?!std\s*::\s*nothrow))"), "new"),
    (re.compile(r"\b(?:malloc|calloc|realloc|strdup)\s*\("), "malloc"),
    (re.compile(r"\bstd\s*::\s*function\b"), "std::function"),
    (re.compile(r"\b(?:shared_ptr|make_shared)\b"), "shared_ptr"),
    (re.compile(r"\b(?:s?rand|s?random)\s*\(|\bstd\s*::\s*(?:mt19937\w*|random_device)\b"),
     "rand"),
    (re.compile(r"\bunordered_(?:map|set)\b"), "std::unordered_map"),
)
_CLOCK = re.compile(
    r"\b(?:clock_gettime|gettimeofday|steady_clock|system_clock|high_resolution_clock|timespec_get|"
    r"_*rdtscp?|rte_(?:rdtsc\w*|get_tsc_cycles|get_timer_cycles))\b|"
    r"\btime\s*\(\s*(?:nullptr|NULL|0)")
_NOW = re.compile(r"\bclock\w*(?:\(\))?\s*(?:\.|->)\s*now\s*\(")
_IF = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif|else)\b", re.MULTILINE)
_MAY_IF = {"stack/base/check.h", "stack/base/trace.h"}


def _is_public_header(source):
    return source.path.startswith("stack/api/pollux/")


def file_length(source):
    for suffix, limit in MAX_LINES.items():
        if source.path.endswith(suffix) and len(source.lines) - 1 > limit:
            yield limit + 1, f"{len(source.lines) - 1} lines, at most {limit} in a {suffix}"


def columns(source):
    for number, line in enumerate(source.lines, 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, at most {MAX_COLUMNS}"


def functions(source):
    if not source.is_cpp or _is_public_header(source):
        return
    for f in source.cpp.functions():
        if f.length > MAX_FUNCTION_LINES:
            yield f.first_line, f"{f.name}: {f.length} lines, at most {MAX_FUNCTION_LINES}"
        given = _GIVEN.match(f.name) or source.is_in(*_GIVEN_FOLDERS)
        if f.parameters > MAX_PARAMETERS and not given:
            yield f.first_line, f"{f.name}: {f.parameters} parameters, at most {MAX_PARAMETERS}"
        if f.nesting > MAX_NESTING:
            yield f.first_line, f"{f.name}: nested {f.nesting} deep, at most {MAX_NESTING}"


def first_line(source):
    lines = source.lines
    if source.is_meson:
        return
    at = 1 if lines[0].startswith("#!") and len(lines) > 1 else 0
    sign = "//" if source.is_cpp else "#"
    begins = [f"{mark} {source.name} - " for mark in (sign, "/*" if source.is_cpp else sign)]
    if not any(lines[at].startswith(begin) and lines[at] != begin for begin in begins):
        yield at + 1, f"the first line is not `{sign} {source.name} - one sentence.`"
        return
    sentence = lines[at]
    for line in lines[at + 1:at + 4]:
        if sentence.rstrip().endswith((".", ". */")) or not line.startswith((sentence[:2], " *")):
            break
        sentence = line
    if not sentence.rstrip().endswith((".", ". */")):
        yield at + 1, "the first line's sentence does not end with a full stop"


def pragma_once(source):
    if source.is_header and not _is_public_header(source) and "#pragma once" not in source.text:
        yield 1, "no #pragma once"


def conditional_compilation(source):
    if not source.is_cpp or source.path in _MAY_IF or _is_public_header(source):
        return
    for match in _IF.finditer(source.cpp.code):
        yield source.line_of(match.start()), "#if outside check.h and trace.h"


def includes(source):
    if not source.is_cpp:
        return
    for line, what, in_quotes in source.cpp.includes():
        message = include_breach(source, what, in_quotes)
        if message:
            yield line, message


def devices(source):
    """Layers never call devices, though they see their capabilities."""
    if source.is_cpp and source.is_in(*_PROTOCOLS):
        for match in re.finditer(r"\bNetDevice\b", source.cpp.code):
            yield source.line_of(match.start()), "a protocol must not know NetDevice"


def rte_names(source):
    """DPDK outside drivers/, except in a file whose first lines say which library it wraps."""
    if not source.is_cpp or not source.is_in("stack", "epoll", "apps"):
        return
    head = "\n".join(source.lines[:4])
    wraps = set(re.findall(r"[Ww]raps (?:DPDK's )?(rte_\w+)", head))
    for match in re.finditer(r"\brte_\w+", source.cpp.with_strings):
        if not wraps:
            yield source.line_of(match.start()), f"{match.group(0)} outside drivers/"
            return


def clock_reads(source):
    if not source.is_cpp or not source.is_in("stack", "epoll", "drivers"):
        return
    if "clock" in source.name:
        return
    for match in _CLOCK.finditer(source.cpp.code):
        yield source.line_of(match.start()), f"clock read `{match.group(0)}` outside a Clock"
    if source.is_in(*_PROTOCOLS):
        for match in _NOW.finditer(source.cpp.code):
            yield source.line_of(match.start()), "clock read in a protocol; now is an argument"


def environment(source):
    """What somebody else's environment says must not reach a set-user-ID program."""
    if not source.is_cpp or not source.is_in("stack", "epoll", "drivers", "apps/preload"):
        return
    for match in re.finditer(r"(?<!secure_)\bgetenv\b", source.cpp.code):
        yield source.line_of(match.start()), "getenv; secure_getenv, as in environment.cc"


def forbidden_names(source):
    if not source.is_cpp or not source.is_in(*_DATA_PATH):
        return
    code = re.sub(r"^[ \t]*#[^\n]*", "", source.cpp.code, flags=re.MULTILINE)
    for pattern, name in _FORBIDDEN:
        for match in pattern.finditer(code):
            begin = code.rfind("\n", 0, match.start())
            if name == "new" and "unique_ptr<" in code[begin:match.start()]:
                continue  # of a class whose constructor is private; an object of the start
            yield code.count("\n", 0, match.start()) + 1, f"{name} in a data-path folder"


CODE_RULES = (file_length, columns, functions, first_line, pragma_once, conditional_compilation,
              includes, devices, rte_names, clock_reads, environment, forbidden_names)
