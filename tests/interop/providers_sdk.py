#!/usr/bin/env python3
"""The emulator is a provider that the SDKs of Anthropic, AWS and Azure cannot tell from a real one.

Each SDK finds it by environment alone, and is asked for plain answers, streams, calls of a tool and
every kind of error; its own script says what it must make of them.
"""
import subprocess
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402

STATUSES = {"anthropic": (400, 401, 403, 404, 429, 500, 529),
            "azure": (400, 401, 404, 429, 500),
            "boto3": (400, 403, 404, 429, 500, 503)}


def environment(sdk, url):
    return {
        "anthropic": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": peers.API_KEY},
        "azure": {"AZURE_OPENAI_ENDPOINT": url, "AZURE_OPENAI_API_KEY": peers.API_KEY,
                  "OPENAI_API_VERSION": "2024-10-21"},
        "boto3": {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url, "AWS_REGION": "us-east-1",
                  "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDINTEROP",
                  "AWS_SECRET_ACCESS_KEY": peers.API_KEY},
    }[sdk]


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--sdk", choices=sorted(STATUSES), required=True)
    options = parser.parse_args()
    python = peers.need_python(options.peers)
    faults = [f"{status}:~fault-{status}" for status in STATUSES[options.sdk]]
    faults.append("error-chunk:~fault-in-stream")
    with peers.workspace(options.sdk) as (folder, checks):
        words = [word for fault in faults for word in ("--fault", fault)]
        key = (["--aws-access-key", "AKIDINTEROP", "--aws-secret-key", peers.API_KEY]
               if options.sdk == "boto3" else ["--api-key", peers.API_KEY])
        with peers.Mock(options.moot, folder / "mock.log", "--answers", "tool",
                        *key, *words) as mock:
            script = str(peers.HERE / f"sdk_{options.sdk}.py")
            # An empty home: no profile of whoever runs this.
            env = peers.clean_environment(HOME=str(folder), **environment(options.sdk, mock.url))
            done = subprocess.run([python, "-B", script], timeout=120, check=False, env=env)
            ledger = mock.ledger()
        checks.equal(done.returncode, 0, "exit code of the SDK's script")
        # Each fault was met once and not asked for again.
        checks.equal(ledger["faults"], {fault.split(":")[0]: 1 for fault in faults},
                     "faults that the emulator played")


main()
