#!/usr/bin/env python3
"""The emulator is a provider that the official OpenAI SDKs cannot tell from a real one.

Each SDK finds it by environment alone, as its users do, and is asked for plain answers, streams,
a retry and every kind of error; its own script says what it must make of them.
"""
import subprocess
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402

# The first request is throttled; later ones fail by what they ask.
FAULTS = ["429:#1:hint=ms/300ms",
          *(f"{status}:~fault-{status}" for status in (400, 401, 403, 404, 409, 422, 500)),
          "429:~fault-429", "503:~fault-503", "quota-exhausted:~fault-quota",
          "error-chunk:~fault-in-stream", "reset-before-status:~fault-reset"]


def command(sdk, folder):
    """(argv, working folder) of the script; skips if its SDK is not here."""
    if sdk == "python":
        return [peers.need_python(folder), str(peers.HERE / "sdk_python.py")], None
    node, packages = peers.need_node(folder)
    # A module is looked up from where the script lies, so it is run as if it lay there.
    return [node, "--input-type=module", "--eval", (peers.HERE / "sdk_node.mjs").read_text()], \
        packages


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--sdk", choices=["python", "node"], required=True)
    options = parser.parse_args()
    argv, where = command(options.sdk, options.peers)
    with peers.workspace(f"openai-{options.sdk}") as (folder, checks):
        faults = [word for fault in FAULTS for word in ("--fault", fault)]
        with peers.Mock(options.moot, folder / "mock.log", "--surface", "openai",
                        "--api-key", peers.API_KEY, *faults) as mock:
            done = subprocess.run(argv, cwd=where, timeout=120, check=False,
                                  env=peers.clean_environment(OPENAI_BASE_URL=mock.url,
                                                              OPENAI_API_KEY=peers.API_KEY))
            ledger = mock.ledger()
        checks.equal(done.returncode, 0, "exit code of the SDK's script")
        # Each fault was met once and not asked for again, but for the throttled first request.
        expected = {fault.split(":")[0]: 1 for fault in FAULTS} | {"429": 2}
        checks.equal(ledger["faults"], expected, "faults that the emulator played")


main()
