#!/usr/bin/env python3
"""Rows through aimock, an emulator that others wrote, in each dialect that it shares with us.

Every row meets one thing: text in small pieces, a long answer, tool calls, a refusal, a failure
that passes, an answer that is cut. What moot answers is held against aimock's fixtures to the
letter, and aimock's journal of requests against what moot should have sent. aimock knows one key,
and refuses requests without it.

Bedrock is not among them: moot does not sign requests yet. Once it does, add a cell of type bedrock
with the path /model/{model}/converse, whole only: aimock's converse-stream begins a text block with
`"start": {}`, which the AWS SDKs refuse as well.
"""
import collections
import dataclasses
import json
import sys
import urllib.request

sys.dont_write_bytecode = True
import peers  # noqa: E402

ORACLE = {"endpoint": "oracle-model", "instruction": "You are the oracle. Answer."}
JUDGE = {"endpoint": "judge-model", "instruction": "You are the judge. Correct."}
LAST = "Is that \"right\"?"
VERDICT = "It says \"caf\u00e9\" \u2014 and that is right.\nSo it stays."
TEXT = "A \"first\" line,\n\ta second: \u00fcber \u65e5\u672c\u8a9e \U0001f600 \\ </s> {\"a\": 1}"
LONG = " ".join(f"word-{number}" for number in range(1500))
CALL = {"id": "call_1", "name": "look_up", "arguments": "{\"town\": \"K\u00f6ln\"}"}
TOKENS = {"oracle": (11, 7), "judge": (5, 3)}
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Cell:
    """A dialect, and where aimock meets its requests."""
    name: str
    provider: dict
    path: str
    base: str = ""
    overloaded: int = 503
    words: dict = dataclasses.field(default_factory=dict)  # its own, for how an answer ended
    asks_for_usage: bool = True  # in a stream; where not, the provider sends it unasked, not aimock


@dataclasses.dataclass(frozen=True)
class Row:
    """What aimock says when the oracle is asked, in turn, the last for ever; what becomes of it."""
    name: str
    fixtures: tuple
    statuses: tuple = (200,)  # as aimock has them in its journal
    text: str = TEXT          # the oracle's answer, as the judge is told; None: the row fails
    finish: str = "stop"
    error: tuple = ()         # of a failed row: code and status

    @property
    def question(self):
        return f"What of [{self.name}]?"


CELLS = (
    Cell("openai", {"type": "openai"}, "/v1/chat/completions", base="/v1"),
    Cell("databricks", {"type": "databricks", "surface": "chat"},
         "/serving-endpoints/chat/completions", asks_for_usage=False),
    Cell("anthropic", {"type": "anthropic"}, "/v1/messages", overloaded=529,
         words={"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}),
    Cell("azure", {"type": "azure"}, "/openai/v1/chat/completions"),
    Cell("azure-deployments", {"type": "azure", "surface": "deployments"},
         "/openai/deployments/{model}/chat/completions?api-version=2024-10-21"),
    Cell("azure-models", {"type": "azure", "surface": "models"},
         "/models/chat/completions?api-version=2024-05-01-preview"),
)


def usage(role):
    read, written = TOKENS[role]
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def says(text=TEXT, role="oracle", finish=None, **faults):
    told = {"content": text, "usage": usage(role)}
    if finish:
        told["finishReason"] = finish
    return {"response": told, "chunkSize": 4, **faults}


def fails(status, kind, message, **more):
    return {"response": {"error": {"message": message, "type": kind}, "status": status, **more}}


def rows_of(cell, *, stream):
    yield Row("text", (says(),))
    yield Row("long", (says(LONG),), text=LONG)
    yield Row("length", (says(finish="length"),), finish="length")
    yield Row("tools", ({"response": {"toolCalls": [CALL], "usage": usage("oracle")}},), text="",
              finish="tool_calls")
    yield Row("broken", (fails(500, "server_error", "it broke"), says()), (500, 200))
    yield Row("overloaded", (fails(cell.overloaded, "overloaded_error", "too many"), says()),
              (cell.overloaded, 200))
    yield Row("refused", (fails(400, "invalid_request_error", "no such thing"),), (400,), None,
              error=("invalid_request_error", 400))
    yield Row("garbled", (says(chaos={"malformedRate": 1}), says()), (200, 200))
    yield Row("dropped", (says(chaos={"disconnectRate": 1}), says()), (0, 200))
    if stream:  # what is not streamed, aimock sends whole
        yield Row("cut", (says(truncateAfterChunks=3), says()), (200, 200))
        # All of the text came, and nothing that says so.
        yield Row("cut-late", (says("four", truncateAfterChunks=2), says()), (200, 200))
        yield Row("gone", (says(latency=20, disconnectAfterMs=50),), (200,) * ATTEMPTS, None,
                  error=("incomplete_response", 200))


# Alone: with its 429, aimock says that it takes one request a second, and moot heeds that.
THROTTLED = Row("throttled", (fails(429, "rate_limit_error", "too fast", retryAfter=1), says()),
                (429, 200))


class Aimock(peers.Child):
    """aimock with fixtures for these rows: a row is known by its question, the judge by what it is
    told to be."""

    def __init__(self, folder, rows, node, program):
        known = [{"match": {"systemMessage": JUDGE["instruction"]}, **says(VERDICT, "judge")}]
        for row in rows:
            for turn, fixture in enumerate(row.fixtures):
                is_last = turn == len(row.fixtures) - 1
                known.append({"match": {"userMessage": row.question,
                                        **({} if is_last else {"sequenceIndex": turn})}, **fixture})
        (folder / "fixtures.json").write_text(json.dumps({"fixtures": known}, indent=1))
        super().__init__(
            [node, program, "--port", "0", "--fixtures", str(folder / "fixtures.json"),
             "--strict", "--validate-on-load"], folder / "aimock.log", speaks="listening on ",
            environment=peers.clean_environment(AIMOCK_API_KEYS=peers.API_KEY))
        self.url = self.first_line.split()[-1]

    def journal(self):
        request = urllib.request.Request(f"{self.url}/v1/_requests",
                                         headers={"authorization": f"Bearer {peers.API_KEY}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)


def expected_requests(cell, row):
    """(path, status, model, messages) of each call, as aimock keeps them."""
    def path(role):
        return cell.path.format(model=role["endpoint"])

    begin = [("system", ORACLE["instruction"]), ("user", row.question)]
    for status in row.statuses:
        yield path(ORACLE), status, ORACLE["endpoint"], tuple(begin)
    if row.text is None:
        return
    asked = [("system", JUDGE["instruction"]), ("user", row.question), ("assistant", row.text),
             ("user", LAST)]
    if cell.name == "anthropic" and not row.text:
        asked[1:] = [("user", row.question + LAST)]  # it knows no message without text
    yield path(JUDGE), 200, JUDGE["endpoint"], tuple(asked)


def check_journal(checks, journal, cell, rows, *, stream):
    found = collections.Counter()
    for entry in journal:
        body = entry["body"]
        said = tuple((message["role"], message["content"]) for message in body["messages"])
        found[entry["path"], entry["response"]["status"], body["model"], said] += 1
        checks.equal((body.get("temperature"), body.get("max_tokens"), bool(body.get("stream"))),
                     (0.5, 500, stream), "parameters on the wire")
        wants = cell.name != "anthropic" and cell.asks_for_usage and stream
        checks.equal(body.get("stream_options"), {"include_usage": True} if wants else None,
                     "stream_options on the wire")
    expected = collections.Counter(
        request for row in rows for request in expected_requests(cell, row))
    for request in sorted((found - expected).keys()):
        checks.that(False, f"aimock was asked, and should not: {request}")
    for request in sorted((expected - found).keys()):
        checks.that(False, f"aimock was not asked: {request}")


def check_answer(checks, cell, row, line, *, stream):
    facts = line["moot"]
    checks.equal(line["answer"], VERDICT, f"{row.name}: the answer")
    checks.equal(line["finish_reason"], cell.words.get("stop", "stop"),
                 f"{row.name}: finish reason")
    calls = len(row.statuses)
    checks.equal((facts["calls"], facts["retries"]), (calls + 1, calls - 1), f"{row.name}: calls")
    checks.equal(facts["possible_duplicate"], bool({0, 200} & set(row.statuses[:-1])),
                 f"{row.name}: may have been billed twice")
    counts = tuple(sum(tokens) for tokens in zip(*TOKENS.values()))
    if stream and not cell.asks_for_usage:
        counts = (None, None)
    checks.equal((facts.get("input_tokens"), facts.get("output_tokens")), counts,
                 f"{row.name}: tokens")


def check_rows(checks, folder, cell, rows, *, stream):
    answers = {line["id"]: line for line in peers.read_jsonl(folder / "answers.jsonl")}
    errors = {line["id"]: line for line in peers.read_jsonl(folder / "answers.errors.jsonl")}
    checks.equal((sorted(answers), sorted(errors)),
                 (sorted(row.name for row in rows if row.text is not None),
                  sorted(row.name for row in rows if row.text is None)), "answered and failed")
    for row in rows:
        if row.name in answers and row.text is not None:
            check_answer(checks, cell, row, answers[row.name], stream=stream)
        elif row.name in errors and row.text is None:
            error = errors[row.name]["error"]
            checks.equal((error["code"], error["status_code"]), row.error, f"{row.name}: error")


def check_finishes(checks, folder, cell, rows):
    """How each oracle's answer ended is in its span only."""
    spans = peers.read_jsonl(folder / "spans.jsonl")
    names = {span["trace_id"]: span["attributes"]["moot.row.id"] for span in spans
             if "parent_span_id" not in span}
    ended = {names[span["trace_id"]]: span["attributes"].get("gen_ai.response.finish_reasons")
             for span in spans if span["name"] == "Raw Agent Response"
             and span["attributes"].get("gen_ai.agent.name") == "oracle"}
    for row in rows:
        if row.text is not None:
            checks.equal(ended.get(row.name), [cell.words.get(row.finish, row.finish)],
                         f"{row.name}: how the oracle ended")


def run(moot, peer, cell, rows, *, stream):
    name = f"{cell.name}, {'streamed' if stream else 'whole'}, {len(rows)} rows"
    with peers.workspace(f"aimock-{cell.name}") as (folder, checks), \
            Aimock(folder, rows, *peer) as aimock:
        (folder / "questions.jsonl").write_text("".join(
            json.dumps({"id": row.name, "question": row.question}) + "\n" for row in rows))
        config = {"models": {"oracle": ORACLE, "judge": JUDGE},
                  "configuration": {"user_response_instruction": LAST},
                  "providers": {"default": {
                      **cell.provider, "base_url": aimock.url + cell.base,
                      "api_key": "env:INTEROP_KEY", "retry": {"max_attempts": ATTEMPTS}}}}
        done = peers.run_batch(moot, folder, *(["--stream"] if stream else []), config=config,
                               questions="questions.jsonl")
        journal = aimock.journal()
        (folder / "journal.json").write_text(json.dumps(journal, indent=1))
        fail = any(row.text is None for row in rows)
        if checks.equal(done.returncode, 2 if fail else 0, f"exit code; {done.stderr}"):
            check_rows(checks, folder, cell, rows, stream=stream)
            check_finishes(checks, folder, cell, rows)
        check_journal(checks, journal, cell, rows, stream=stream)
        print(f"{name}: {len(journal)} requests")


def main():
    options = peers.options(__doc__).parse_args()
    peer = peers.need_node_program(options.peers, "@copilotkit/aimock", "dist/cli.js")
    for cell in CELLS:
        for stream in (False, True):
            run(options.moot, peer, cell, list(rows_of(cell, stream=stream)), stream=stream)
        if cell.name in ("openai", "anthropic"):
            run(options.moot, peer, cell, [THROTTLED], stream=False)


main()
