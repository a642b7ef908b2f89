# cpp_source.py - a C++ file as the tidy test sees it: comments blanked, functions measured.
import re

_SKIP = re.compile(
    r'R"([^\s()\\]{0,16})\((?:.|\n)*?\)\1"'  # raw string
    r"|//(?:\\\n|[^\n])*"
    r"|/\*(?:[^*]|\*(?!/))*\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
_TOKEN = re.compile(r"[{}();]|(?<!:):(?!:)")
_NOT_A_NAME = {
    "alignas", "__attribute__", "decltype", "requires", "noexcept", "explicit", "sizeof",
    "if", "for", "while", "switch", "catch", "return", "defined", "static_assert",
}
_CONTROL = re.compile(r"^\s*(?:else\b\s*)?(?:if|for|while|do|switch|else|try|catch)\b")
_CONTAINER = re.compile(r"\b(?:namespace|class|struct|union|enum|extern)\b")
_NO_FUNCTION = re.compile(r"\s*(?:typedef\s+)?(?:class|enum|union|namespace)\b")
_LOCAL_CLASS = re.compile(r"\s*(?:class|struct|union)\b[^(=]*$")
_LABEL = re.compile(r"\s*(?:public|private|protected|default|case\b[^?]*)\s*$")
_MEMBER = re.compile(r"\)[\s\w]*(?<!:):(?!:)(?:.|\n)*[\w>]\s*$")  # `X() : a_{`, of a constructor
_CALLABLE = re.compile(
    r"((?!operator\b)~?[A-Za-z_]\w*|operator\s*[^\s\w(]+|operator\s*\(\s*\))\s*\("
)


def blank(text, keep_newlines_of):
    """Spaces of the same shape, so that lines and columns stay what they were."""
    return re.sub(r"[^\n]", " ", text) if "\n" in keep_newlines_of else " " * len(text)


def without_comments(text, keep_strings=False):
    def hide(match):
        piece = match.group(0)
        if piece.startswith(("//", "/*")):
            return blank(piece, piece)
        if keep_strings:
            return piece
        return piece[0] + blank(piece[1:-1], piece) + piece[-1]

    return _SKIP.sub(hide, text)


class Function:
    def __init__(self, name, first_line, last_line, parameters, nesting):
        self.name = name
        self.first_line = first_line
        self.last_line = last_line
        self.parameters = parameters
        self.nesting = nesting

    @property
    def length(self):
        return self.last_line - self.first_line + 1


class _Block:
    def __init__(self, kind, start, head="", control=0):
        self.kind = kind  # container, function, block, member
        self.start = start
        self.head = head
        self.control = control  # control blocks around and including this one, within its function
        self.deepest = 0


class _LineIndex:
    def __init__(self, text):
        self.starts = [0] + [m.end() for m in re.finditer("\n", text)]

    def line(self, offset):
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            if self.starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return low + 1


def _close_of(text, open_at):
    depth = 0
    for i in range(open_at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def count_parameters(inside):
    if not inside.strip() or inside.strip() == "void":
        return 0
    inside = re.sub(r"->|<=>|<=|>=|<<", "  ", inside)
    depth, count = 0, 1
    for c in inside:
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == "," and depth == 0:
            count += 1
    return count


def signature(head):
    """(name, number of parameters) of the function that `head` starts, or None."""
    for match in _CALLABLE.finditer(head):
        name = re.sub(r"\s", "", match.group(1))
        if name in _NOT_A_NAME:
            continue
        open_at = match.end() - 1
        return name, count_parameters(head[open_at + 1:_close_of(head, open_at)])
    return None


def _classify(head, parent):
    inside_function = parent.kind != "container"
    if not inside_function:
        before_parenthesis = head.split("(", 1)[0]
        if "=" in before_parenthesis and "operator" not in before_parenthesis:
            return "block"
        if _MEMBER.search(head):
            return "member"
        found = signature(head)
        if found and not _NO_FUNCTION.match(head):
            return "function"
        if _CONTAINER.search(head) or not head.strip():
            return "container"
        return "block"
    if _LOCAL_CLASS.match(head):
        return "container"
    return "block"


class _Scanner:
    def __init__(self, code):
        self.code = code
        self.index = _LineIndex(code)
        self.functions = []
        self.stack = [_Block("container", 0)]
        self.head_start = 0
        self.parens = []

    def run(self):
        for match in _TOKEN.finditer(self.code):
            getattr(self, {"{": "_open", "}": "_close", "(": "_paren", ")": "_unparen",
                           ";": "_semicolon", ":": "_colon"}[match.group(0)])(match.start())
        return self.functions

    def _paren(self, at):
        self.parens.append(at)

    def _unparen(self, at):
        if self.parens:
            self.parens.pop()

    def _semicolon(self, at):
        if not self.parens:
            self.head_start = at + 1

    def _colon(self, at):
        """Labels end a head: `case X:`, `public:`. An initialiser list or a condition does not."""
        head = self.code[self.head_start:at]
        if _LABEL.match(head):
            self.head_start = at + 1

    def _open(self, at):
        head = self.code[self.head_start:at]
        parent = self.stack[-1]
        kind = _classify(head, parent)
        control = 0 if kind != "block" else parent.control
        if kind == "block" and not self.parens and _CONTROL.match(head):
            control += 1
        block = _Block(kind, self.head_start, head, control)
        block.parens = self.parens
        self.parens = []
        self.stack.append(block)
        self.head_start = at + 1

    def _close(self, at):
        if len(self.stack) == 1:
            return
        block = self.stack.pop()
        deepest = max(block.deepest, block.control)
        self.parens = block.parens
        if block.kind == "function":
            self._record(block, at, deepest)
        elif self.stack:
            self.stack[-1].deepest = max(self.stack[-1].deepest, deepest)
        self.head_start = block.start if self.parens or block.kind == "member" else at + 1

    def _record(self, block, at, deepest):
        found = signature(block.head)
        first = self.index.line(block.start + len(block.head) - len(block.head.lstrip()))
        name, parameters = found if found else ("?", 0)
        self.functions.append(Function(name, first, self.index.line(at), parameters, deepest))


class CppSource:
    def __init__(self, text):
        self.text = text
        self.code = without_comments(text)
        self.with_strings = without_comments(text, keep_strings=True)
        self.comments_only = None

    def functions(self):
        code = _DIRECTIVE.sub(lambda m: blank(m.group(0), m.group(0)), self.code)
        return _Scanner(code).run()

    def includes(self):
        """(line, what, is it in quotes) of every include."""
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]',
                                 self.with_strings, re.MULTILINE):
            line = self.with_strings.count("\n", 0, match.start()) + 1
            yield line, match.group(2), match.group(1) == '"'
