#!/usr/bin/env python3
# tidy_test.py - each rule of tidy.py: a bad snippet that fails and a good one that passes.
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tidy import run  # noqa: E402


def header(name, body="", sentence="does a thing."):
    return f"// {name} - {sentence}\n#pragma once\n{body}"


def source(name, body):
    return f"// {name} - does a thing.\n{body}"


def lines(count, text="  f();\n"):
    return text * count


class Tidy(unittest.TestCase):
    def report(self, files):
        """What tidy prints about a tree of `files`; every .cc is in a meson.build unless told."""
        with tempfile.TemporaryDirectory() as root:
            files = dict(files)
            built = "".join(f"  '{path}',\n" for path in files if path.endswith(".cc"))
            files.setdefault("meson.build", f"x = files(\n{built})\n")
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            out = io.StringIO()
            run(root, out)
            return out.getvalue()

    def fails(self, files, message):
        self.assertIn(message, self.report(files))

    def passes(self, files):
        self.assertEqual("", self.report(files))

    def cc(self, body, path="stack/tcp/a.cc"):
        return {path: source(os.path.basename(path), body)}

    def test_function_length(self):
        self.fails(self.cc("void g() {\n" + lines(59) + "}\n"), "a.cc:2: g: 61 lines, at most 60")
        self.passes(self.cc("void g() {\n" + lines(58) + "}\n"))

    def test_length_of_a_method_in_a_class_in_a_namespace(self):
        body = "namespace p {\nclass C {\n  int h() const {\n" + lines(60) + "  }\n};\n}\n"
        self.fails({"stack/tcp/a.h": header("a.h", body)}, "h: 62 lines")

    def test_a_constructor_with_braced_members_is_one_function(self):
        body = "C::C(int a)\n    : a_{a},\n      b_(2) {\n" + lines(58) + "}\n"
        self.fails(self.cc(body), "C: 62 lines")
        self.fails(self.cc("C::C(int a, int b, int c, int d, int e, int f) : a_{a}, b_{b} {}\n"),
                   "C: 6 parameters")

    def test_file_length(self):
        self.fails(self.cc(lines(500, "int a;\n")), "501 lines, at most 500 in a .cc")
        self.passes(self.cc(lines(499, "int a;\n")))
        self.fails({"stack/tcp/a.h": header("a.h", lines(249, "int a;\n"))}, "at most 250 in a .h")
        self.passes({"stack/tcp/a.h": header("a.h", lines(248, "int a;\n"))})

    def test_columns(self):
        self.fails(self.cc("// " + "x" * 98 + "\n"), "a.cc:2: 101 columns")
        self.passes(self.cc("// " + "x" * 97 + "\n"))

    def test_parameters(self):
        self.fails(self.cc("int g(int a, int b, int c, int d, int e, int f) { return a; }\n"),
                   "g: 6 parameters, at most 5")
        self.passes(self.cc("int g(M<int, int> a, int b, int c, int d, int e) { return b; }\n"))
        self.passes(self.cc("long plx_recvfrom(int a, V b, L c, int d, S e, P f) { return a; }\n",
                            "stack/api/a.cc"))

    def test_nesting(self):
        deep = "void g() {{\n  if (a) {{\n    for (;;) {{\n      while (b) {{\n{}}}}}}}\n}}\n"
        self.fails(self.cc(deep.format("if (c) { f(); }\n")), "g: nested 4 deep, at most 3")
        self.passes(self.cc(deep.format("f({1});\n")))

    def test_words_in_comments_and_texts_do_not_count(self):
        self.passes(self.cc('// new malloc( { { {\nconst char* t = "std::function {{";\n'))

    def test_include_directions(self):
        bad = {
            "stack/base/a.cc": "stack/tcp/seq_num.h", "drivers/a.cc": "epoll/file.h",
            "epoll/a.cc": "drivers/packet.h", "stack/wire/a.cc": "drivers/packet.h",
            "stack/link/a.cc": "stack/ip/ipv4.h", "stack/tcp/output.cc": "drivers/packet.h",
            "stack/socket/a.cc": "stack/core/stack.h", "stack/core/a.cc": "stack/api/init.h",
            "apps/echo/echo.cc": "stack/tcp/tcp.h",
        }
        for path, what in bad.items():
            self.fails(self.cc(f'#include "{what}"\n', path), f'must not include "{what}"')
        good = {
            "stack/base/a.cc": "stack/base/b.h", "drivers/a.cc": "stack/base/b.h",
            "stack/link/a.cc": "drivers/packet.h", "stack/tcp/tcp.cc": "drivers/packet.h",
            "stack/socket/a.cc": "stack/ip/routes.h", "stack/core/a.cc": "stack/socket/socket.h",
            "stack/api/a.cc": "stack/core/stack.h", "apps/echo/echo.cc": "pollux/pollux.h",
        }
        for path, what in good.items():
            self.passes(self.cc(f'#include "{what}"\n', path))

    def test_system_headers_a_folder_must_not_know(self):
        self.fails(self.cc("#include <sys/epoll.h>\n"), "stack/tcp/ must not know <sys/epoll.h>")
        self.passes(self.cc("#include <sys/epoll.h>\n", "epoll/a.cc"))

    def test_includes_are_paths_from_the_root(self):
        self.fails(self.cc('#include "seq_num.h"\n'), "not a path from the root")

    def test_protocols_know_no_device(self):
        self.fails(self.cc("void g(NetDevice& d);\n", "stack/ip/a.cc"), "must not know NetDevice")
        self.passes(self.cc("void g(const DeviceCaps& c);\n", "stack/ip/a.cc"))

    def test_rte_outside_drivers(self):
        self.fails(self.cc("void g() { rte_pktmbuf_free(m); }\n", "stack/ip/a.cc"),
                   "rte_pktmbuf_free outside drivers/")
        self.passes(self.cc("void g() { rte_pktmbuf_free(m); }\n", "drivers/a.cc"))
        self.passes(self.cc("// Wraps rte_ip_frag.\nvoid g() { rte_ip_frag_free(m); }\n",
                            "stack/ip/a.cc"))

    def test_clock_reads(self):
        self.fails(self.cc("void g() { clock_gettime(1, &t); }\n", "epoll/a.cc"), "clock read")
        self.fails(self.cc("void g() { auto t = clock_.now(); }\n"), "now is an argument")
        self.passes(self.cc("void g() { auto t = clock_.now(); }\n", "stack/core/napi.cc"))
        self.passes(self.cc("void g() { clock_gettime(1, &t); }\n", "drivers/dpdk/tsc_clock.cc"))

    def test_forbidden_names(self):
        for code in ("new int", "new (std::nothrow) int", "malloc(3)", "std::function<int()>()",
                     "std::make_shared<int>()", "rand()", "std::unordered_map<int, int>()"):
            self.fails(self.cc(f"auto x = {code};\n"), "in a data-path folder")
            self.passes(self.cc(f"auto x = {code};\n", "apps/echo/echo.cc"))
        self.passes(self.cc("auto x = new (memory) int;\n"))
        self.passes(self.cc("std::unique_ptr<Host> host(new Host(config));\n"))

    def test_conditional_compilation(self):
        self.fails(self.cc("#ifdef X\n#endif\n"), "#if outside check.h and trace.h")
        self.passes({"stack/base/check.h": header("check.h", "#ifdef X\n#endif\n")})

    def test_pragma_once(self):
        self.fails({"epoll/a.h": "// a.h - does a thing.\n"}, "no #pragma once")

    def test_first_line(self):
        self.fails({"epoll/a.h": header("b.h")}, "a.h:1: the first line is not `// a.h - one")
        self.fails({"epoll/a.h": header("a.h", sentence="no end")}, "full stop")
        self.passes({"epoll/a.h": "// a.h - a sentence\n// on two lines.\n#pragma once\n"})
        self.fails({"apps/x/quickstart": "#!/bin/bash\necho\n"}, "quickstart:2: the first line")
        self.passes({"apps/x/quickstart": "#!/bin/bash\n# quickstart - does a thing.\n"})

    def test_sources_are_built(self):
        files = self.cc("int a;\n")
        self.fails({**files, "meson.build": "x = files()\n"}, "a.cc:1: in no meson.build")
        loop = "foreach t : ['a']\n  executable(t, t + '.cc')\nendforeach\n"
        self.passes({**files, "stack/tcp/meson.build": loop, "meson.build": ""})

    def test_unit_tests_mirror_sources(self):
        self.fails(self.cc("int a;\n", "tests/unit/tcp/rtt_test.cc"), "no source file")
        rtt = {"stack/tcp/rtt.h": header("rtt.h")}
        for name in ("rtt_test.cc", "rtt_backoff_test.cc", "rfc9293_figures_test.cc"):
            self.passes({**rtt, **self.cc("int a;\n", "tests/unit/tcp/" + name)})

    def test_environment(self):
        self.fails(self.cc('char* c = getenv("A");\n', "stack/api/a.cc"), "secure_getenv")
        self.passes(self.cc('char* c = secure_getenv("A");\n', "stack/api/a.cc"))
        self.passes(self.cc('char* c = getenv("A");\n', "apps/pollux/a.cc"))

    def test_safety_is_described(self):
        files = {"apps/preload/preload.h": header("preload.h")}
        said = "## Safety\nno sandbox set-user-ID SIGKILL security updates Report\n## More\n"
        self.fails({**files, "README.md": "Report\n"}, "says nothing of: Report")
        self.passes({**files, "README.md": said})

    def test_promises(self):
        files = {"tests/preload/a_test.sh": "# a_test.sh - does a thing.\ncheck \"it works\"\n"}
        readme = "tests/preload/README.md"
        for cell, message in (("a_test.sh: it fails", "`it fails` is not in preload/a_test.sh"),
                              ("b_test.sh: it works", "`preload/b_test.sh` does not exist")):
            self.fails({**files, readme: f"| 1 | `preload/{cell}` |\n"}, message)
        self.passes({**files, readme: "| 1 | `preload/a_test.sh: it works` |\n"})

    def test_thirty_second_table(self):
        code = self.cc("void Connection::check_ack() {}\n")
        for text in ("check_rst()", "Connection::check_rst", "tcp/none.cc"):
            self.fails({**code, "stack/README.md": f"| ACKs | `{text}` |\n"}, text)
        for text in ("check_ack()", "Connection::check_ack", "tcp/a.cc", "a word"):
            self.passes({**code, "stack/README.md": f"| ACKs | `{text}` |\n"})

    def test_names_beside_the_kernels(self):
        code = {**self.cc("void Set::queue() {}  // was enqueue\n", "epoll/a.cc"),
                **self.cc("void poll() {}\n", "stack/core/b.cc")}
        row = "| `ep_poll` | {} | {} |\n"
        for name, files, message in (
                ("`enqueue`", "`a.cc`", "README.md:1: `enqueue` is not in a.cc"),
                ("`Other::queue`", "`a.cc`", "`Other` is not in a.cc"),
                ("`queue`", "`none.cc`", "`none.cc` does not exist"),
                ("`queue`", "`a.cc`, `stack/core/b.cc`", "`stack/core/b.cc` has none of the names"),
                ("`queue`", "`stack/core/b.cc`", "`queue` is not in stack/core/b.cc")):
            self.fails({**code, "epoll/README.md": row.format(name, files)}, message)
        for name, files in (("`Set::queue`", "`a.cc`"), ("words", "words"),
                            ("`Set`, the `poll`", "`a.cc`, `stack/core/b.cc`")):
            self.passes({**code, "epoll/README.md": row.format(name, files)})
        self.passes({**code, "epoll/README.md": "| `rcu` | not needed, `none` |\n"})

    def test_config_keys_are_documented(self):
        files = {"config/tap.toml": '[port.tap0]\nmtu = 1500\n', "config/README.md": "`port`\n"}
        self.fails(files, "tap.toml:2: key `mtu` is missing in config/README.md")
        self.passes({**files, "config/README.md": "| `port` | `mtu` |\n"})
        keys = header("config_keys.h", '#define KEYS(X) X("mtu", 1) X("mru", 2)\n')
        code = {"stack/api/config_keys.h": keys}
        self.fails({**code, "config/README.md": "`mtu`\n"}, "config_keys.h:3: key `mru` is missing")
        self.passes({**code, "config/README.md": "`mtu` `mru`\n"})

    def test_musts_are_tested(self):
        code = self.cc("int a;  // RFC 9293 3.1 (MUST-7)\n")
        self.fails(code, "a.cc:2: warning: no test cites MUST-7")
        test = {"tests/unit/tcp/a_test.cc": source("a_test.cc", "// MUST-7\n")}
        self.passes({**code, **test})

    def test_cited_rows_exist_and_are_counted(self):
        rows = {"tests/conformance/rows.txt": "MUST-7 | RFC | x\nMUST-8 | RFC | x\n"
                                              "MUST-9 | RFC | x\nSHLD-1 | RFC | x\n"}
        test = {"tests/unit/tcp/a_test.cc": source("a_test.cc", "// MUST-7 MUST-8\n")}
        code = self.cc("int a;  // MUST-7 to MUST-9, MUST-70\n")
        self.fails({**rows, **test, **code}, "MUST-70 is not in tests/conformance/rows.txt")
        self.fails({**rows, **test, **code}, "the code cites 3 of 4 rows")

    def test_unit_tests_that_the_twin_report_names(self):
        text = header("elsewhere.h", 'const char* a = "x: unit test "\n    "waits_forever";\n')
        named = {"tests/twin/elsewhere.h": text}
        self.fails(named, "elsewhere.h:1: no unit test `waits_forever`")
        code = {"stack/tcp/a.h": header("a.h"),
                "tests/unit/tcp/a_test.cc": source("a_test.cc", "TEST_F(A, waits_forever) {}\n")}
        self.passes({**named, **code})

    def test_the_catalogues_cases_exist(self):
        script = "#!/bin/sh\n# a_test.sh - does a thing.\nhas x && tried \"x -k\" x f\n"
        files = {"tests/interop/a_test.sh": script}
        table = "| Program | Case |\n|---|---|\n| x | {} |\n"
        for cell, message in (("`x -l`", "README.md:3: no case `x -l` in tests/interop"),
                              ("`x -k`, `x`", "no case `x`"), ("x -k", "a row without a case"),
                              ("`b_test.sh`", "no case `b_test.sh`")):
            self.fails({**files, "apps/README.md": table.format(cell)}, message)
        for cell in ("`x -k`", "`x -k`, `a_test.sh`"):
            self.passes({**files, "apps/README.md": table.format(cell)})
        self.passes({**files, "apps/README.md": "| Name | What |\n|---|---|\n| `x` | `y` |\n"})


def main():
    result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(Tidy))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
