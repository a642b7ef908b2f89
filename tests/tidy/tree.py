# tree.py - the files of the project as the tidy test reads them, each once.
import os
import re

from cpp_source import CppSource

TOP_FOLDERS = ("stack", "epoll", "drivers", "apps", "tests", "config", ".ci")
CPP = (".h", ".cc", ".cpp", ".c")


class Source:
    """One text file: path from the root, text, and for C++ the code without comments."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        self.name = os.path.basename(path)
        self.folder = os.path.dirname(path)
        self.is_cpp = path.endswith(CPP)
        self.is_header = path.endswith(".h")
        self.is_meson = self.name == "meson.build"
        self.is_script = not self.is_cpp and (path.endswith((".py", ".sh")) or
                                              self.text.startswith("#!"))
        self._cpp = None

    @property
    def cpp(self):
        if self._cpp is None:
            self._cpp = CppSource(self.text)
        return self._cpp

    def is_in(self, *folders):
        return any(self.path.startswith(folder + "/") for folder in folders)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


class Tree:
    def __init__(self, root):
        self.root = root
        self.sources = []
        self.paths = set()
        for top in TOP_FOLDERS:
            self._walk(os.path.join(root, top))
        for path in ("meson.build", "README.md"):
            if os.path.exists(os.path.join(root, path)):
                self._add(path)
        self.by_path = {source.path: source for source in self.sources}

    def _walk(self, top):
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(f for f in folders if f not in ("__pycache__", "corpus", "build"))
            for name in sorted(files):
                self._add(os.path.relpath(os.path.join(folder, name), self.root))

    def _add(self, path):
        self.paths.add(path)
        full = os.path.join(self.root, path)
        if path.endswith(CPP + (".py", ".sh")) or os.path.basename(path) == "meson.build":
            self.sources.append(Source(self.root, path))
        elif "." not in os.path.basename(path) and os.path.getsize(full) < 200_000:
            with open(full, "rb") as file:
                if file.read(2) == b"#!":
                    self.sources.append(Source(self.root, path))

    def cpp_in(self, *folders):
        return [s for s in self.sources if s.is_cpp and s.is_in(*folders)]

    def text_of(self, path):
        """The text of a file that may be no source (README, TOML); None if it does not exist."""
        if path not in self.paths:
            return None
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def built_sources(self):
        """Paths of all sources that some meson.build names."""
        built = set()
        for source in self.sources:
            if not source.is_meson:
                continue
            names = re.findall(r"f?'([^'\n]+)'", re.sub(r"(?m)#.*$", "", source.text))
            suffixes = {re.sub(r"^@\w+@", "", n) for n in names if re.match(r"(@\w+@)?[._]", n)}
            for name in names:
                for suffix in [""] + [s for s in suffixes if s.endswith(CPP)]:
                    built.add(os.path.normpath(os.path.join(source.folder, name + suffix)))
        return built
