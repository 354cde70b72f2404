#!/usr/bin/env python3
"""The fence: what architecture and style ask of every file, checked.

Prints one line a finding, and ends with 1 if there is one. exceptions.txt lists what is allowed
none the less, with the reason; an exception that nothing needs any more is a finding too.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import binary_rules  # noqa: E402
import source_rules  # noqa: E402


def read_exceptions(path):
    """{(rule, place): line} of lines `rule place reason...`."""
    exceptions = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 3:
                raise SystemExit(f"{path}:{number}: an exception is: rule place reason")
            exceptions[words[0], words[1]] = number
    return exceptions


def judge(findings, exceptions):
    """Take away what is excepted. Findings are (rule, place, line, message)."""
    used = set()
    for rule, place, line, message in findings:
        if (rule, place) in exceptions:
            used.add((rule, place))
        else:
            yield rule, place, line, message
    for rule, place in sorted(set(exceptions) - used):
        yield "exception", place, exceptions[rule, place], f"{rule} does not need it; take it out"


def source_findings(root):
    tree = source_rules.Tree(root)
    for name, rule in source_rules.RULES.items():
        for place, line, message in rule(tree):
            yield name, place, line, message


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["source", "headers", "symbols"])
    parser.add_argument("--root", required=True)
    parser.add_argument("--exceptions", help="file of exceptions")
    parser.add_argument("--cc", help="headers: C compiler")
    parser.add_argument("--cxx", help="headers: C++ compiler")
    parser.add_argument("--archive", help="symbols: the static library")
    parser.add_argument("--shared", help="symbols: the shared library")
    options = parser.parse_args()

    if options.part == "source":
        findings = source_findings(options.root)
        for path, lines in source_rules.long_files(source_rules.Tree(options.root)):
            print(f"note: {path} has {lines} lines; more than {source_rules.LINES_WARN}")
    elif options.part == "headers":
        findings = binary_rules.headers(options.root, options.cc, options.cxx)
    else:
        findings = binary_rules.symbols(options.root, options.archive, options.shared)
    exceptions = read_exceptions(options.exceptions) if options.exceptions else {}
    parts = {rule: "source" for rule in source_rules.RULES} | binary_rules.PARTS
    unknown = [rule for rule, _ in exceptions if rule not in parts]
    if unknown:
        raise SystemExit(f"{options.exceptions}: no such rule: {', '.join(unknown)}")
    exceptions = {key: line for key, line in exceptions.items() if parts[key[0]] == options.part}
    found = list(judge(findings, exceptions))
    for rule, place, line, message in found:
        path = place.split(":")[0]
        print(f"{path}:{line}: {message} [{rule} {place}]")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
