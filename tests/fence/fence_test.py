#!/usr/bin/env python3
"""The fence finds what it is for: a good and a bad sample of every rule, in a folder of its own."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import binary_rules  # noqa: E402
import c_text  # noqa: E402
import fence  # noqa: E402
import source_rules  # noqa: E402

CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "")

# A small house in which nothing is wrong.
GOOD = {
    "engine/include/moot.h": "#ifndef MOOT_H\n#define MOOT_H\n#include <moot/a.h>\n#endif\n",
    "engine/include/moot/a.h":
        "#ifndef MOOT_A_H\n#define MOOT_A_H\n#include <stdint.h>\n"
        "#define MOOT_API __attribute__((visibility(\"default\")))\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
        "/* MOOT_API int moot_not_this(void); */\n"
        "MOOT_API int moot_a(void (*run)(void *data),\n                    void *data);\n"
        "#ifdef __cplusplus\n}\n#endif\n#endif\n",
    "engine/base/json_read.c": "#include <yajl/yajl_parse.h>\n",
    "engine/base/alloc.c": "#include <stdlib.h>\nvoid *a(void)\n{\n    return malloc(1);\n}\n",
    "trace/ring.h": "#ifndef MOOT_RING_H\n#define MOOT_RING_H\n#include \"engine/base/list.h\"\n"
                    "struct moot_ring {\n    int a;\n};\nextern const int moot__b[3];\n#endif\n",
    "engine/base/list.h": "#ifndef MOOT_LIST_H\n#define MOOT_LIST_H\n#endif\n",
    "agents/prompt.c":
        "/* malloc(1) in a comment, and printf(\"\") */\n#include <string.h>\n\n"
        "#include \"trace/ring.h\"\n\nstatic const char *const names[] = {\"a;b{\", \"sleep(1)\"};\n"
        "static int one(struct moot_ring *ring)\n{\n    ring->free(ring);\n    return 1;\n}\n"
        "enum { A };\nstatic int (*const table[])(struct moot_ring *) = {\n    one,\n};\n"
        "static int two(int a, int b, int c, int d, const char *format, ...);\n",
    "net/tls_x.c": "#include <mbedtls/ssl.h>\n#include <sys/socket.h>\n",
    "engine/loop.c": "#include <uv.h>\n\n#include \"agents/x.h\"\n#include \"net/x.h\"\n",
    "agents/x.h": "#ifndef MOOT_X_H\n#define MOOT_X_H\n#include <moot/a.h>\n#endif\n",
    "net/x.h": "#ifndef MOOT_NX_H\n#define MOOT_NX_H\n#endif\n",
    "net/x.c": "#include \"x.h\"\n\n#include \"engine/base/list.h\"\n",
    "bench/b.c": "#include <stdio.h>\nvoid b(void)\n{\n    printf(\"b\");\n}\n",
    "tests/t.c": "#include <cmocka.h>\n#include <uv.h>\nstatic int count;\n",
}
WHOLE = "{\n" + "    a();\n" * 68 + "}\n"

# rule: [(path, text)], each of which that rule alone must find in the small house.
BAD = {
    "include-direction": [
        ("engine/base/up.c", "#include \"trace/ring.h\"\n"),
        ("engine/include/moot/up.h",
         "#ifndef MOOT_UP_H\n#define MOOT_UP_H\n#include \"engine/base/list.h\"\n#endif\n"),
        ("trace/up.c", "#include \"agents/x.h\"\n"),
        ("agents/side.c", "#include \"net/x.h\"\n"),
        ("net/side.c", "#include \"agents/x.h\"\n"),
        ("net/up.c", "#include \"bench/b.h\"\n"),
        ("engine/cli/down.c", "#include \"net/x.h\"\n"),
        ("engine/ghost.c", "#include \"no/such.h\"\n"),
        ("engine/ghost_public.c", "#include <moot/such.h>\n"),
    ],
    "include-spelling": [
        ("net/dots.c", "#include \"../engine/base/list.h\"\n"),
        ("net/long.c", "#include \"engine/include/moot/a.h\"\n"),
        ("net/beside.c", "#include \"net/x.h\"\n"),
    ],
    "own-header-first": [
        ("net/x.c", "#include <stdio.h>\n\n#include \"x.h\"\n"),
        ("net/x.c", "int a;\n"),
    ],
    "library-place": [
        ("engine/json.c", "#include <yajl/yajl_gen.h>\n"),
        ("engine/config.c", "#include <yaml.h>\n"),
        ("net/call.c", "#include <llhttp.h>\n"),
        ("net/pool.c", "#include <mbedtls/ssl.h>\n"),
        ("agents/sigv4.c", "#include <psa/crypto.h>\n"),
        ("net/http1.c", "#include <zlib.h>\n"),
        ("engine/engine.c", "#include <uv.h>\n"),
        ("bench/check.c", "#include <cmocka.h>\n"),
        ("net/other.c", "#include <curl/curl.h>\n"),
    ],
    "pure-floors": [
        ("engine/include/moot/posix.h",
         "#ifndef MOOT_P_H\n#define MOOT_P_H\n#include <unistd.h>\n#endif\n"),
        ("engine/base/io.c", "#include <fcntl.h>\n"),
        ("trace/io.c", "#include <sys/socket.h>\n"),
        ("agents/io.c", "#include <pthread.h>\n"),
    ],
    "file-size": [("net/long.c", "\n" * 601)],
    "line-length": [("net/wide.c", "/*" + "x" * 97 + "*/\n")],
    "function-size": [
        ("net/tall.c", "static void f(int a)\n" + WHOLE.replace("{\n", "{\n    a();\n", 1))],
    "parameter-count": [
        ("net/many.c", "void f(int a, int b, int (*c)(int, int), int d, int e, int f)\n{\n}\n")],
    "banned-call": [
        ("net/a.c", "void f(void)\n{\n    sprintf(a, b);\n}\n"),
        ("net/b.c", "void f(void)\n{\n    printf(b);\n}\n"),
        ("net/c.c", "void f(void)\n{\n    a = malloc (1);\n}\n"),
        ("net/d.c", "void f(void)\n{\n    sleep(1);\n}\n"),
        ("net/e.c", "void f(void)\n{\n    exit(1);\n}\n"),
        ("net/f.c", "void f(void)\n{\n    strerror(1);\n}\n"),
        ("net/g.c", "void f(void)\n{\n    signal(1, a);\n}\n"),
        ("engine/h.c", "void f(void)\n{\n    uv_now(loop);\n}\n"),
        ("tests/i.c", "void f(void)\n{\n    strcpy(a, b);\n}\n"),
    ],
    "test-switch": [
        ("net/a.c", "#ifdef MOOT_TESTING\n#endif\n"),
        ("net/b.c", "#if defined(NDEBUG)\n#endif\n"),
    ],
    "mutable-state": [
        ("net/a.c", "static int count;\n"),
        ("net/b.c", "int counts[3] = {1, 2};\n"),
        ("net/c.c", "static const char *names[] = {\"a\"};\n"),
        ("net/d.c", "static struct moot_x {\n    int a;\n} x;\n"),
        ("net/e.c", "static void (*hook)(void);\n"),
        ("engine/cli/f.c", "static volatile int stop;\n"),
    ],
    "include-guard": [
        ("net/a.h", "#pragma once\n"),
        ("net/b.h", "#ifndef MOOT_B_H\n#define MOOT_C_H\n#endif\n"),
    ],
}


def build(folder, files):
    for path, text in files.items():
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)


def rules_broken(files):
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        return sorted({rule for rule, _, _, _ in fence.source_findings(folder)})


class Source(unittest.TestCase):
    def test_the_good_house_stands(self):
        with tempfile.TemporaryDirectory() as folder:
            build(folder, GOOD)
            self.assertEqual(list(fence.source_findings(folder)), [])

    def test_every_rule_has_bad_samples(self):
        self.assertEqual(set(BAD), set(source_rules.RULES))

    def test_bad_samples_are_found(self):
        for rule, samples in BAD.items():
            for path, text in samples:
                with self.subTest(rule=rule, path=path):
                    self.assertIn(rule, rules_broken({**GOOD, path: text}))

    def test_sizes_at_their_limits_are_fine(self):
        self.assertEqual(rules_broken({
            "net/long.c": "\n" * 600, "net/wide.c": "/*" + "x" * 96 + "*/\n",
            "net/tall.c": "static void f(\n" .replace("(\n", "(int a)\n") + WHOLE[:-2]
            .replace("    a();\n", "", 1) + "}\n",
            "net/many.c": "void f(int a, int b, int (*c)(int, int), int d, int e)\n{\n}\n"}), [])

    def test_wide_characters_are_one_column(self):
        self.assertEqual(rules_broken({"net/wide.c": "/*" + "\u00e9" * 96 + "*/\n"}), [])


class Exceptions(unittest.TestCase):
    FINDING = ("banned-call", "net/a.c:exit", 3, "exit: the library never ends the process")

    def test_an_exception_takes_its_finding_away(self):
        self.assertEqual(list(fence.judge([self.FINDING], {self.FINDING[:2]: 1})), [])

    def test_an_exception_is_for_one_place(self):
        other = {("banned-call", "net/b.c:exit"): 7}
        self.assertEqual([found[0] for found in fence.judge([self.FINDING], other)],
                         ["banned-call", "exception"])

    def test_an_exception_needs_a_reason(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# text\n\nbanned-call net/a.c:exit because\nbanned-call net/b.c:exit\n")
            file.flush()
            with self.assertRaises(SystemExit):
                fence.read_exceptions(file.name)


class Text(unittest.TestCase):
    def test_lines_stay_where_they_are(self):
        text = "/* a\n b */ int c; // d\nchar *s = \"/* \\\" */\"; char q = '\"';\n"
        code = c_text.strip(text)
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertEqual(len(code), len(text))
        self.assertNotIn("d", code)
        self.assertIn("char q", code)

    def test_parameters_are_counted(self):
        for head, count in [("void f(void)", 1), ("void f()", 0), ("int f(int a, int b)", 2),
                            ("int f(int (*a)(int, int), int b)", 2), ("int f(int a, ...)", 1)]:
            self.assertEqual(c_text.parameters(head), count, head)


class Headers(unittest.TestCase):
    def findings(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            build(folder, {f"engine/include/moot/{name}": text})
            return [found[0] for found in binary_rules.headers(folder, CC, CXX)]

    def test_a_header_that_stands_alone(self):
        self.assertEqual(self.findings("a.h", GOOD["engine/include/moot/a.h"]), [])

    def test_a_header_that_leans_on_another(self):
        found = self.findings("a.h", "#ifndef MOOT_A_H\n#define MOOT_A_H\nuint64_t a(void);\n#endif\n")
        self.assertIn("header-c", found)

    def test_a_header_without_guard(self):
        self.assertIn("header-c", self.findings("a.h", "struct a {\n    int b;\n};\n"))

    @unittest.skipUnless(CXX, "no C++ compiler")
    def test_a_header_that_is_no_cpp(self):
        found = self.findings(
            "a.h", "#ifndef MOOT_A_H\n#define MOOT_A_H\nint a(int class);\n#endif\n")
        self.assertEqual(found, ["header-cpp"])


class Symbols(unittest.TestCase):
    PUBLIC = {"engine/include/moot/a.h": GOOD["engine/include/moot/a.h"]}

    def findings(self, source):
        with tempfile.TemporaryDirectory() as folder:
            build(folder, {**self.PUBLIC, "a.c": source})
            at = {name: os.path.join(folder, name) for name in ("a.c", "a.o", "a.a", "a.so")}
            flags = ["-fPIC", "-fvisibility=hidden"]
            subprocess.run([CC, *flags, "-c", at["a.c"], "-o", at["a.o"]], check=True)
            subprocess.run(["ar", "rc", at["a.a"], at["a.o"]], check=True)
            subprocess.run([CC, "-shared", at["a.o"], "-o", at["a.so"]], check=True)
            return sorted(found[:2] for found in binary_rules.symbols(folder, at["a.a"], at["a.so"]))

    VISIBLE = "__attribute__((visibility(\"default\"))) "
    FINE = VISIBLE + "int moot_a(void) { return 0; }\n"

    def test_a_good_library(self):
        self.assertEqual(self.findings(
            self.FINE + "int moot__b(void) { return 0; }\nconst char *const moot__c[] = {\"a\"};\n"
            "static int d(void) { return 0; }\nint moot__e(void) { return d(); }\n"), [])

    def test_an_export_that_no_header_has(self):
        self.assertEqual(self.findings(self.FINE + self.VISIBLE + "int moot_b(void) { return 0; }"),
                         [("export", "moot_b")])

    def test_a_declaration_without_function(self):
        self.assertEqual(self.findings("int moot_a(void) { return 0; }"), [("unexported", "moot_a")])

    def test_a_foreign_name_in_the_archive(self):
        self.assertEqual(self.findings(self.FINE + "int helper(void) { return 0; }"),
                         [("archive-symbol", "helper")])

    def test_writable_data(self):
        state = "static int calm, busy = 1;\nint moot__b(void)\n{\n    static char *names[1] = {\"\"};\n" \
                "    return ++calm + ++busy + *names[0]++;\n}\n"
        places = [place for _, place in self.findings(self.FINE + state)]
        self.assertEqual(len(places), 3)  # a compiler adds to the names of statics in functions
        for name in ("busy", "calm", "names"):
            self.assertTrue(any(name in place for place in places), name)


if __name__ == "__main__":
    unittest.main()
