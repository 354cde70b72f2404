"""Rules about what comes out of the compiler: headers that stand alone, symbols, writable data."""
import os
import re
import subprocess
import tempfile

PARTS = {"header-c": "headers", "header-cpp": "headers", "export": "symbols",
         "unexported": "symbols", "archive-symbol": "symbols", "writable-data": "symbols"}

# Objects in the archive that are not ours: Debian 12's llhttp, compiled from source.
FOREIGN_OBJECT = re.compile(r"(api|http|llhttp)\.c\.o")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def compiles(command, suffix, text):
    """None, or the compiler's first complaint."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "one" + suffix)
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        code, _, errors = run(command + WARNINGS + ["-fsyntax-only", source])
    lines = [line for line in errors.splitlines() if "error" in line] or errors.splitlines()
    return None if code == 0 else (lines[0] if lines else "the compiler failed")


def headers(root, cc, cxx):
    """Each public header alone, twice included, as C11 and as C++17."""
    base = os.path.join(root, "engine/include")
    for folder, _, names in sorted(os.walk(base)):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), base)
            text = f"#include <{path}>\n#include <{path}>\nextern int one;\n"
            place = "engine/include/" + path
            c11 = [cc, "-std=c11", "-pedantic-errors", "-I", base]
            complaint = compiles(c11, ".c", text)
            if complaint:
                yield "header-c", place, 1, complaint
            if cxx:
                complaint = compiles([cxx, "-std=c++17", "-I", base], ".cc", text)
                if complaint:
                    yield "header-cpp", place, 1, complaint


def output(command):
    code, out, errors = run(command)
    if code != 0:
        raise SystemExit(f"{' '.join(command)}: {errors}")
    return out


def public_functions(root):
    names = {}
    for folder, _, files in os.walk(os.path.join(root, "engine/include")):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            for match in re.finditer(r"^MOOT_API\b[^;(]*?\b(\w+)\s*\(", text, re.M):
                names[match.group(1)] = os.path.relpath(path, root)
    return names


def exports(root, shared):
    public = public_functions(root)
    exported = [line.split()[-1] for line in
                output(["nm", "-D", "--defined-only", shared]).splitlines()]
    exported = {name.split("@")[0] for name in exported}
    for name in sorted(exported - set(public)):
        yield "export", name, 0, f"exported, but in no public header: {name}"
    for name in sorted(set(public) - exported):
        yield "unexported", name, 0, f"declared in {public[name]}, but not in the library: {name}"


def archive_symbols(archive):
    """What a host that links the archive finds in its own namespace."""
    member = ""
    for line in output(["nm", "-g", "--defined-only", archive]).splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line and not FOREIGN_OBJECT.fullmatch(member):
            name = line.split()[-1]
            if not name.startswith("moot_"):
                yield "archive-symbol", name, 0, f"{member} defines {name}"


def writable_data(archive):
    """Objects in .data or .bss; constants with pointers lie in .data.rel.ro."""
    member = ""
    for line in output(["objdump", "-t", archive]).splitlines():
        match = re.match(r"(\S+):\s+file format", line)
        if match:
            member = match.group(1)
        match = re.match(r"\w+ .{7} (\.t?(?:data|bss)\S*)\s+(\w+)\s+(\S+)$", line)
        if not match or FOREIGN_OBJECT.fullmatch(member):
            continue
        section, size, name = match.groups()
        if not section.startswith(".data.rel.ro") and int(size, 16) > 0:
            yield "writable-data", name, 0, f"{member} has mutable state: {name} in {section}"


def symbols(root, archive, shared):
    if shared:
        yield from exports(root, shared)
    if archive:
        yield from archive_symbols(archive)
        yield from writable_data(archive)
