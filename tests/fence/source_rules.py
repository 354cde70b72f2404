"""Rules that source text can break: floors, places of libraries, sizes, banned calls, state.

Each rule is a generator of (place, line, message); a place is a path, or path:name. The tables at
the top are the house's plan; the functions below only read them.
"""
import os
import re

import c_text

FOLDERS = ["engine", "agents", "net", "trace", "bench", "tests"]

# Who may include whom. The first prefix that fits a path is its floor.
FLOORS = [
    ("engine/include/", "include"),
    ("engine/base/", "base"),
    ("engine/cli/", "cli"),
    ("engine/", "engine"),
    ("trace/", "trace"),
    ("agents/", "agents"),
    ("net/", "net"),
    ("bench/", "bench"),
    ("tests/", "tests"),
]
LIBRARY = ["include", "base", "trace", "agents", "net", "engine"]
SEES = {
    "include": ["include"],
    "base": ["include", "base"],
    "trace": ["include", "base", "trace"],
    "agents": ["include", "base", "trace", "agents"],
    "net": ["include", "base", "trace", "net"],
    "engine": LIBRARY,
    "cli": ["include", "cli", "bench"],
    "bench": LIBRARY + ["bench"],
    "tests": LIBRARY + ["cli", "bench", "tests"],
}

# Where a third-party header may be included.
LIBRARIES = [
    (r"yajl/", r"engine/base/json_\w+\.[ch]"),
    (r"yaml\.h", r"engine/config_yaml\.c"),
    (r"llhttp\.h", r"net/http1\w*\.[ch]"),
    # TLS, and the one hash that signatures need: what is audited is not written again.
    (r"(mbedtls|psa)/", r"net/tls\w*\.[ch]|engine/base/sha256\.c"),
    # An event stream's checksum is gzip's.
    (r"zlib\.h", r"net/(gzip|eventstream)\.c|engine/batch/\w+\.c|tests/.*"),
    (r"uv\.h", r"net/transport_uv\w*\.[ch]|engine/loop\.c|bench/.*|tests/.*"),
    (r"cmocka\.h", r"tests/.*"),
]
C11 = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
 stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar
 wchar wctype""".split()
# Input and output, which the pure floors do without.
OUTSIDE = """arpa/inet dirent fcntl ifaddrs net/if netdb netinet/in netinet/tcp poll pthread sched
 spawn sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/random sys/resource sys/select
 sys/prctl sys/signalfd sys/socket sys/stat sys/time
 sys/timerfd sys/types sys/uio sys/un sys/wait syslog
 termios unistd""".split()
POSIX = OUTSIDE + ["dlfcn", "endian", "fnmatch", "getopt", "glob", "langinfo", "libgen", "regex",
                   "strings", "sys/auxv", "sys/utsname", "wordexp"]
PURE = ["base", "trace", "agents"]

LINES_MAX, LINES_WARN, COLUMNS_MAX, FUNCTION_MAX, PARAMETERS_MAX = 600, 400, 100, 70, 5

# Calls, where they are allowed none the less, and what is wrong with them.
UNBOUNDED = "sprintf vsprintf strcpy strcat stpcpy strtok gets alloca"
BANNED = [
    (UNBOUNDED, r"", "writes or cuts without a bound"),
    ("atoi atol atoll atof", r"", "cannot tell an error from 0"),
    ("system popen", r"", "runs a shell"),
    ("sleep usleep nanosleep", r"", "wait for an event, not for a time"),
    ("printf vprintf fprintf vfprintf puts fputs putchar perror",
     r"engine/cli/.*|bench/.*|tests/.*", "the library prints nothing"),
    ("malloc calloc realloc free strdup strndup asprintf vasprintf",
     r"engine/base/alloc\.c|tests/.*", "memory comes through engine/base/alloc.h"),
    ("exit _exit _Exit abort quick_exit atexit", r"engine/cli/.*|bench/.*|tests/.*",
     "the library never ends the process"),
    ("signal sigaction setenv putenv unsetenv setlocale chdir umask setrlimit",
     r"engine/cli/.*|bench/.*|tests/.*", "the library touches nothing process-wide"),
    ("strerror localtime gmtime ctime asctime rand srand random srandom readdir_r", r"engine/cli/.*|tests/.*",
     "shares state between threads; take the _r form or engine/base/rng.h"),
    ("uv_now uv_hrtime uv_update_time", r"net/transport_uv\w*\.c|engine/loop\.c|bench/.*|tests/.*",
     "time comes through net/transport.h"),
]

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|\"([^\"\n]+)\")", re.M)


class File:
    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read()
        self.code = c_text.strip(self.text)
        self.floor = floor_of(path)
        # (line, name, is it in quotes)
        self.includes = [(c_text.line_of(self.code, m.start()), m.group(1) or m.group(2),
                          m.group(2) is not None) for m in INCLUDE.finditer(self.code)]


class Tree:
    def __init__(self, root):
        self.root = root
        paths = []
        for folder in FOLDERS:
            for at, _, names in os.walk(os.path.join(root, folder)):
                paths += [os.path.relpath(os.path.join(at, name), root) for name in names
                          if name.endswith((".c", ".h"))]
        self.files = [File(root, path) for path in sorted(paths)]
        self.paths = set(paths)


def floor_of(path):
    for prefix, floor in FLOORS:
        if path.startswith(prefix):
            return floor
    raise ValueError(path)


def resolve(tree, file, name, is_quoted):
    """The path in the house that an include means, or None if it is not of the house."""
    if not is_quoted:
        return "engine/include/" + name if name == "moot.h" or name.startswith("moot/") else None
    beside = os.path.join(os.path.dirname(file.path), name)
    return beside if beside in tree.paths else name


def include_direction(tree):
    for file in tree.files:
        for line, name, is_quoted in file.includes:
            target = resolve(tree, file, name, is_quoted)
            if target is None:
                continue
            if target not in tree.paths:
                yield file.path, line, f"there is no {name} beside it or from the root"
            elif floor_of(target) not in SEES[file.floor]:
                yield (f"{file.path}:{target}", line,
                       f"{file.floor} may not see {floor_of(target)}: {name}")


def include_spelling(tree):
    for file in tree.files:
        for line, name, is_quoted in file.includes:
            if is_quoted and (".." in name.split("/") or name.startswith("engine/include/")):
                yield file.path, line, f"write {name} from the root, public headers <moot/x.h>"
            elif is_quoted and "/" in name and os.path.dirname(name) == os.path.dirname(file.path):
                yield file.path, line, f"{name} lies beside this file: write its name alone"


def own_header_first(tree):
    for file in tree.files:
        stem = file.path[:-2]
        own = [path for path in (stem + ".h", stem + "_internal.h") if path in tree.paths]
        if not file.path.endswith(".c") or not own:
            continue
        first = file.includes[0] if file.includes else (1, "", True)
        if first[1:] not in [(os.path.basename(path), True) for path in own]:
            yield file.path, first[0], f"first include {own[0]}"


def library_place(tree):
    for file in tree.files:
        for line, name, is_quoted in file.includes:
            if is_quoted or name.startswith("moot/") or name == "moot.h":
                continue
            for header, place in LIBRARIES:
                if re.match(header, name):
                    if not re.fullmatch(place, file.path):
                        yield f"{file.path}:{name}", line, f"{name} belongs to {place}"
                    break
            else:
                if name[:-2] not in C11 + POSIX:
                    yield f"{file.path}:{name}", line, f"{name} is nowhere in the plan"


def pure_floors(tree):
    for file in tree.files:
        for line, name, is_quoted in file.includes:
            if is_quoted:
                continue
            if file.floor == "include" and name[:-2] not in C11 and not name.startswith("moot/"):
                yield f"{file.path}:{name}", line, f"public headers need C11's own only, not {name}"
            elif file.floor in PURE and name[:-2] in OUTSIDE:
                yield f"{file.path}:{name}", line, f"{file.floor} knows no {name}"


def file_size(tree):
    for file in tree.files:
        lines = file.text.count("\n")
        if lines > LINES_MAX:
            yield file.path, 1, f"{lines} lines; at most {LINES_MAX}: which noun is missing?"


def long_files(tree):
    """Not a rule: what to keep an eye on."""
    return [(file.path, file.text.count("\n")) for file in tree.files
            if LINES_WARN < file.text.count("\n") <= LINES_MAX]


def line_length(tree):
    for file in tree.files:
        for number, line in enumerate(file.text.split("\n"), 1):
            if len(line) > COLUMNS_MAX:
                yield file.path, number, f"{len(line)} columns; at most {COLUMNS_MAX}"


def function_size(tree):
    for file in tree.files:
        for statement in c_text.file_scope(file.code):
            if statement.body_lines > FUNCTION_MAX:
                yield (f"{file.path}:{c_text.function_name(statement.text)}", statement.line,
                       f"{statement.body_lines} lines; at most {FUNCTION_MAX}")


def parameter_count(tree):
    for file in tree.files:
        for statement in c_text.file_scope(file.code):
            if statement.is_function and c_text.parameters(statement.text) > PARAMETERS_MAX:
                yield (f"{file.path}:{c_text.function_name(statement.text)}", statement.line,
                       f"more than {PARAMETERS_MAX} parameters: which struct is missing?")


def banned_call(tree):
    for file in tree.files:
        for names, allowed, why in BANNED:
            if allowed and re.fullmatch(allowed, file.path):
                continue
            call = r"(?<![\w.>])(%s)\s*\(" % "|".join(names.split())
            for match in re.finditer(call, file.code):
                yield (f"{file.path}:{match.group(1)}", c_text.line_of(file.code, match.start()),
                       f"{match.group(1)}: {why}")


def test_switch(tree):
    """The code that is tested is the code that runs."""
    switch = re.compile(r"^[ \t]*#[ \t]*(?:el)?if.*\b(NDEBUG|DEBUG|\w*(?:TEST|FUZZ|MOCK)\w*)"
                        r"(?<!_H)\b", re.M)
    for file in tree.files:
        if file.floor != "tests":
            for match in switch.finditer(file.code):
                yield (file.path, c_text.line_of(file.code, match.start()),
                       f"behaves differently under {match.group(1)}")


NO_OBJECT = re.compile(r"(__extension__ )?typedef\b|extern\b|static_assert\b|_Static_assert\b|union\s+\w+(\s*\{\})?$"
                       r"|struct\s+\w+(\s*\{\})?$|enum(\s+\w+)?(\s*\{\})?$|\w+\s*\([^*]*\)$")


def mutable_state(tree):
    for file in tree.files:
        for statement in c_text.file_scope(file.code) if file.floor != "tests" else []:
            text = " ".join(statement.text.split())
            left = text.split("=")[0].strip()
            if not text or statement.is_function or NO_OBJECT.match(left):
                continue
            paren = left.find("(")
            if paren >= 0 and left[paren + 1:paren + 2] != "*":
                continue  # a prototype
            pointer = paren if paren >= 0 else left.rfind("*")
            constant = left[pointer:].split(")")[0] if pointer >= 0 else left
            if not re.search(r"\bconst\b", constant):
                name = re.findall(r"\w+", re.sub(r"\[.*", "", left))
                yield (f"{file.path}:{name[-1] if name else '?'}", statement.line,
                       f"mutable state at file scope: {left}")


def include_guard(tree):
    for file in tree.files:
        if not file.path.endswith(".h"):
            continue
        match = re.match(r"\s*#ifndef (MOOT_\w+)\s*\n#define (\w+)", file.code)
        if not match or match.group(1) != match.group(2):
            yield file.path, 1, "begins with no guard #ifndef MOOT_..., #define the same"


RULES = {rule.__name__.replace("_", "-"): rule for rule in (
    include_direction, include_spelling, own_header_first, library_place, pure_floors, file_size,
    line_length, function_size, parameter_count, banned_call, test_switch, mutable_state,
    include_guard)}
