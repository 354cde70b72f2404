#!/usr/bin/env python3
"""200 conversations through an nginx that closes connections under us: no row is lost, none is
billed twice. The emulator behind it keeps the ledger.

announced  it closes each connection after 20 requests, and says so: nothing need be sent again
silent     it closes each that was idle for 2 ms, and says nothing: now and then a request meets a
           connection that is closing, and must be sent again
"""
import json
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402

ROWS = 200
NTH_MAX = 20
SETTINGS = {"announced": f"keepalive_requests {NTH_MAX};", "silent": "keepalive_timeout 2ms;"}


def check_connections(checks, calls, manner):
    """How many connections there were, by nginx's log; it answered each call once."""
    lengths = {}
    for call in calls:
        lengths[call["connection"]] = max(lengths.get(call["connection"], 0), call["nth"])
        checks.equal(call["status"], 200, "status")
    checks.equal(len(calls), 2 * ROWS, "calls that nginx answered")
    checks.that(len(lengths) >= 2 * ROWS / NTH_MAX, f"only {len(lengths)} connections")
    if manner == "announced":
        checks.that(NTH_MAX in lengths.values(), "no connection was used up")
        checks.that(max(lengths.values()) <= NTH_MAX, "a connection was used for too long")
    return len(lengths)


def check_rows(checks, rows, names, manner):
    """Each row once; how many calls were made again."""
    checks.equal(sorted(row["id"] for row in rows), sorted(names), "rows")
    retries = sum(row["moot"]["retries"] for row in rows)
    if manner == "announced":
        checks.equal(retries, 0, "retries, where every close was announced")
    return retries


def run(moot, manner, *, stream):
    names = [f"row-{number}" for number in range(ROWS)]
    with peers.workspace(f"keepalive-{manner}") as (folder, checks), \
            peers.Mock(moot, folder / "mock.log", "--surface", "openai", "--seed", "7",
                       "--latency", "2ms", "--first-token", "2ms", "--jitter", "30ms") as mock, \
            peers.Nginx(folder / "nginx", mock.url.removesuffix("/v1"), SETTINGS[manner]) as nginx:
        (folder / "questions.jsonl").write_text("".join(
            json.dumps({"id": name, "question": f"What of {name}?"}) + "\n" for name in names))
        config = {"models": {"oracle": {"endpoint": "model-a", "instruction": "Answer."},
                             "judge": {"endpoint": "model-b", "instruction": "Correct."}},
                  "providers": peers.provider(nginx.url, requests_per_minute=9000)}
        done = peers.run_batch(moot, folder, *(["--stream"] if stream else []),
                               "--concurrency", "16", ca=nginx.ca, config=config,
                               questions="questions.jsonl")
        nginx.stop()
        if not checks.equal(done.returncode, 0, f"exit code; {done.stderr}"):
            return
        ledger = mock.ledger()
        checks.equal([ledger[key] for key in ("answered", "billed", "abandoned")],
                     [2 * ROWS, 2 * ROWS, 0], "answered, billed, abandoned")
        retries = check_rows(checks, peers.read_jsonl(folder / "answers.jsonl"), names, manner)
        peers.check_spans(checks, peers.read_jsonl(folder / "spans.jsonl"), ROWS)
        connections = check_connections(checks, nginx.calls(), manner)
        print(f"{manner}: {ROWS} rows over {connections} connections, {retries} retries")


def main():
    options = peers.options(__doc__).parse_args()
    peers.need_program("nginx")
    peers.need_program("openssl")
    run(options.moot, "announced", stream=True)
    run(options.moot, "silent", stream=False)


main()
