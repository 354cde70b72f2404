#!/usr/bin/env python3
"""Questions of MT-Bench, answered and judged by a real model that nobody here wrote.

SmolLM2 in llama.cpp's own server is oracle and judge, nginx speaks TLS before it. Asked streamed,
then whole. What moot says about its calls is held against what the model and nginx say.
"""
import json
import sys
import urllib.request

sys.dont_write_bytecode = True
import peers  # noqa: E402

MAX_TOKENS = 60


def tutorial(data, url):
    """The tutorial's configuration as it stands, but for short answers and a provider."""
    config = json.loads(peers.need_data(data, "golden/model_config.json").read_text())
    for role in config["models"].values():
        role["max_tokens"] = MAX_TOKENS
    return {**config, "providers": peers.provider(url)}


def model_counts(model):
    """(tokens read, tokens written, calls) since the server began, by its own count."""
    with urllib.request.urlopen(f"{model.url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    metrics = dict(line.split() for line in lines if not line.startswith("#"))
    read = (int(metrics["llamacpp:prompt_tokens_total"])
            + int(metrics["llamacpp:prompt_tokens_cached_total"]))
    return read, int(metrics["llamacpp:tokens_predicted_total"]), model.launched()


def check_rows(checks, folder, questions):
    """Every question has an answer of two calls; their tokens: {question: (in, out)}."""
    answers = {row["question_id"]: row for row in peers.read_jsonl(folder / "answers.jsonl")}
    checks.equal(sorted(answers), sorted(q["question_id"] for q in questions), "answered")
    errors = folder / "answers.errors.jsonl"
    checks.that(not errors.exists() or errors.stat().st_size == 0, "there are failed rows")
    tokens = {}
    for name, row in answers.items():
        checks.that(row["choices"][0]["turns"][0].strip(), f"{name}: the judge said nothing")
        facts = row["moot"]
        checks.equal((facts["calls"], facts["retries"]), (2, 0), f"{name}: calls and retries")
        tokens[str(name)] = facts.get("input_tokens"), facts.get("output_tokens")
    return tokens


def check_responses(checks, traces, *, stream):
    """Each call's span tells how it ended and what it took: {question: (in, out)}, summed."""
    tokens = {}
    for members in traces:
        root = next(span for span in members if "parent_span_id" not in span)
        calls = [s["attributes"] for s in members if s["name"] == "Raw Agent Response"]
        checks.equal(sorted(c["gen_ai.agent.name"] for c in calls), ["judge", "oracle"], "roles")
        for call in calls:
            reasons = call["gen_ai.response.finish_reasons"]
            checks.that(reasons in (["stop"], ["length"]), f"finish reasons {reasons}")
            checks.equal(call["gen_ai.request.stream"], stream, "asked as a stream")
            checks.equal(call["gen_ai.response.model"], "smollm2", "model")
            checks.equal(call["http.response.status_code"], 200, "status")
            checks.that(call["gen_ai.usage.input_tokens"] > 0, "no tokens in")
            checks.that(0 < call["gen_ai.usage.output_tokens"] <= MAX_TOKENS, "no tokens out")
        tokens[root["attributes"]["moot.row.id"]] = (
            sum(call["gen_ai.usage.input_tokens"] for call in calls),
            sum(call["gen_ai.usage.output_tokens"] for call in calls))
    return tokens


def check_wire(checks, calls, questions, config, *, stream):
    """What nginx saw on the wire: of each question one oracle's call, and one judge's with the
    oracle's answer in it."""
    checks.equal(len(calls), 2 * len(questions), "calls that nginx saw")
    oracle, judge = config["models"]["oracle"], config["models"]["judge"]
    last = config["configuration"]["user_response_instruction"]
    asked = {"oracle": [], "judge": []}
    for call in calls:
        checks.equal((call["status"], call["path"]), (200, "/v1/chat/completions"), "nginx")
        checks.that(call["tls"].startswith("TLSv1."), f"TLS: {call['tls']}")
        body = json.loads(call["body"])
        checks.equal(bool(body.get("stream")), stream, "stream on the wire")
        said = [(message["role"], message["content"]) for message in body["messages"]]
        question = said[1][1]
        if said == [("system", oracle["instruction"]), ("user", question)]:
            asked["oracle"].append(question)
        elif (said[0] == ("system", judge["instruction"]) and len(said) == 4
              and said[2][0] == "assistant" and said[2][1].strip() and said[3] == ("user", last)):
            asked["judge"].append(question)
        else:
            checks.that(False, f"neither the oracle's nor the judge's messages: {said}")
    expected = sorted(question["turns"][0] for question in questions)
    for role, heard in asked.items():
        checks.equal(sorted(heard), expected, f"questions that the {role} heard")


def run(moot, python, data, count, *, stream):
    name = "streamed" if stream else "whole"
    lines = peers.need_data(data, "mt_bench/question.jsonl").read_text().splitlines()[:count]
    questions = [json.loads(line) for line in lines]
    with peers.workspace(f"real-model-{name}") as (folder, checks), \
            peers.Model(python, folder) as model, \
            peers.Nginx(folder / "nginx", model.url) as nginx:
        (folder / "questions.jsonl").write_text("".join(line + "\n" for line in lines))
        config = tutorial(data, nginx.url)
        before = model_counts(model)
        done = peers.run_batch(moot, folder, *(["--stream"] if stream else []), ca=nginx.ca,
                               config=config, questions="questions.jsonl")
        if not checks.equal(done.returncode, 0, f"exit code; {done.stderr}"):
            return
        counts = [after - was for after, was in zip(model_counts(model), before)]
        nginx.stop()
        tokens = check_rows(checks, folder, questions)
        traces = peers.check_spans(checks, peers.read_jsonl(folder / "spans.jsonl"), count)
        checks.equal(check_responses(checks, traces, stream=stream), tokens, "tokens of the spans")
        totals = [sum(way) for way in zip(*tokens.values())]
        checks.equal([*totals, 2 * count], counts, "tokens and calls as the model counts them")
        check_wire(checks, nginx.calls(), questions, config, stream=stream)
        print(f"{name}: {count} rows, {counts[2]} calls, {totals[0]} tokens in, {totals[1]} out")


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--questions", type=int, default=4, help="how many of MT-Bench's 80 [4]")
    options = parser.parse_args()
    peers.need_program("nginx")
    peers.need_program("openssl")
    peers.need_data(options.data, "golden/model_config.json")
    python = peers.need_python(options.peers)
    for stream in (True, False):
        run(options.moot, python, options.data, options.questions, stream=stream)


main()
