#!/usr/bin/env python3
"""AWS event streams between us and others: botocore reads what we write, and we read what
@smithy/eventstream-codec, the JS SDK's own, writes. Runs in the interpreter that has botocore."""
import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402


def read_header(rest):
    """One text header of ours, by hand, to have its bytes; what follows it."""
    name = rest[1:1 + rest[0]]
    rest = rest[1 + len(name):]
    size = int.from_bytes(rest[1:3], "big")
    return (name.decode(), rest[3:3 + size].decode()), rest[3 + size:]


def ours_by_botocore(program, checks):
    from botocore.eventstream import EventStreamBuffer
    lines = subprocess.run([program, "write"], check=True, capture_output=True,
                           text=True).stdout.split()
    stream = EventStreamBuffer()
    stream.add_data(bytes.fromhex("".join(lines)))
    found = list(stream)
    checks.equal(len(found), len(lines), "messages that botocore reads")
    for line, message in zip(lines, found):
        frame = bytes.fromhex(line)
        end = 12 + int.from_bytes(frame[4:8], "big")
        headers, rest = [], frame[12:end]
        while rest:
            header, rest = read_header(rest)
            headers.append(header)
        checks.equal(list(message.headers.items()), headers, line)
        checks.equal(message.payload, frame[end:-4], line)
    return len(lines)


def theirs_by_us(program, node, packages, checks):
    lines = subprocess.run([node, str(peers.HERE / "eventstream_node.mjs"), str(packages)],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    said = subprocess.run([program, "read"], check=True, capture_output=True, text=True,
                          input="".join(message["bytes"] + "\n" for message in messages))
    for message, ours in zip(messages, said.stdout.splitlines(), strict=True):
        checks.equal(ours, message["expected"], message["bytes"])
    return len(messages)


def compare(program, node, packages):
    checks = peers.Checks()
    written = ours_by_botocore(program, checks)
    print(f"{written} messages of ours, read by botocore")
    read = theirs_by_us(program, node, packages, checks)
    print(f"{read} messages of @smithy/eventstream-codec, read by us; {checks.failed} wrong")
    return 1 if checks.failed else 0


def main():
    if sys.argv[1:2] == ["compare"]:
        sys.exit(compare(*sys.argv[2:]))
    parser = peers.options(__doc__)
    parser.add_argument("--export", required=True, help="the program that reads and writes for us")
    options = parser.parse_args()
    python = peers.need_python(options.peers)
    node, packages = peers.need_node(options.peers)
    if not (pathlib.Path(packages) / "node_modules/@smithy/eventstream-codec").is_dir():
        peers.skip(f"no @smithy/eventstream-codec in {packages}")
    sys.exit(subprocess.run([python, __file__, "compare", options.export, node, str(packages)],
                            timeout=300, check=False).returncode)


main()
