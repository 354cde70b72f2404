#!/usr/bin/env python3
"""The framing table of tests/net/http1_vectors.h before node's HTTP client: whatever we take, node
takes too, with the same body, or the script says why not."""
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402


def find_node(folder):
    """The pinned one, or any."""
    if (pathlib.Path(folder) / "installed").is_file():
        return peers.need_node(folder)[0]
    return shutil.which("node") or peers.skip(f"node is not installed, and there is none in {folder}")


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--export", required=True, help="the program that prints the table")
    options = parser.parse_args()
    script = peers.HERE / "framing_node.mjs"
    sys.exit(subprocess.run([find_node(options.peers), str(script), options.export],
                            timeout=300, check=False).returncode)


main()
