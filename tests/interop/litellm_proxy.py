#!/usr/bin/env python3
"""Rows through LiteLLM's proxy: its answers and streams, what it counts, and how it says no.

It tells a limit of requests a minute in the headers of its answers: moot must keep to it from the
first answer on, and not learn it from refusals.
"""
import json
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402

# It refuses well-known keys, and those that do not begin like this.
KEY = f"sk-{peers.API_KEY}"
ANSWER = "The capital is \"Paris\" \u2014 caf\u00e9s and all.\nSo it is."
ROWS = 5
A_MINUTE = 3
MOCKED_TOKENS = (10, 20)  # of each answer that is not streamed


def configuration():
    def model(name, response, **more):
        return {"model_name": name, "litellm_params": {
            "model": "openai/mocked", "api_key": "unused", "mock_response": response, **more}}

    return {"model_list": [model("plain", ANSWER), model("other", ANSWER),
                           model("busy", "litellm.RateLimitError"),
                           model("broken", "litellm.InternalServerError"),
                           model("limited", ANSWER, rpm=A_MINUTE)],
            "router_settings": {"optional_pre_call_checks": ["enforce_model_rate_limits"],
                                "num_retries": 0},
            "general_settings": {"master_key": KEY}}


class Proxy(peers.Child):
    def __init__(self, python, folder):
        config = folder / "litellm.yaml"
        config.write_text(json.dumps(configuration()))  # JSON is YAML
        super().__init__([python, str(peers.HERE / "litellm_server.py"), str(config)],
                         folder / "litellm.log", speaks="http://")
        self.url = self.first_line


def prepare(folder, proxy, roles, rows):
    """A folder with the questions and the configuration of a run."""
    folder.mkdir()
    (folder / "questions.jsonl").write_text("".join(
        json.dumps({"id": f"row-{number}", "question": "Which is the capital?"}) + "\n"
        for number in range(rows)))
    return {"models": {role: {"endpoint": endpoint, "instruction": f"You are the {role}."}
                       for role, endpoint in roles.items()},
            "flow": list(roles),
            "providers": peers.provider(proxy.url, retry={"max_attempts": 2})}


def results(folder):
    """(answers, errors) of a run."""
    return [peers.read_jsonl(path) if path.exists() else []
            for path in (folder / "answers.jsonl", folder / "answers.errors.jsonl")]


def check_answers(checks, moot, folder, proxy):
    """Oracle and judge, whole and streamed; every row asks the same, so it costs the same."""
    for stream in (False, True):
        manner = "streamed" if stream else "whole"
        config = prepare(folder / manner, proxy, {"oracle": "plain", "judge": "other"}, ROWS)
        done = peers.run_batch(moot, folder / manner, *(["--stream"] if stream else []),
                               config=config, questions="questions.jsonl", key=KEY)
        answers, errors = results(folder / manner)
        checks.equal((done.returncode, len(answers), errors), (0, ROWS, []),
                     f"{manner}: exit and rows")
        tokens = set()
        for row in answers:
            checks.equal((row["answer"], row["finish_reason"], row["model"]),
                         (ANSWER, "stop", "other"), f"{manner}: answer")
            checks.equal((row["moot"]["calls"], row["moot"]["retries"]), (2, 0), f"{manner}: calls")
            tokens.add((row["moot"].get("input_tokens"), row["moot"].get("output_tokens")))
        if stream:
            checks.that(len(tokens) == 1 and all(min(tokens)), f"tokens of streams: {tokens}")
        else:
            checks.equal(tokens, {tuple(2 * count for count in MOCKED_TOKENS)}, "tokens")
        print(f"{manner}: {len(answers)} rows, tokens of each {tokens}")


def check_failure(checks, moot, folder, proxy):
    """A 500 is tried again, and fails when that does not help."""
    config = prepare(folder / "broken", proxy, {"oracle": "broken"}, 1)
    done = peers.run_batch(moot, folder / "broken", config=config, questions="questions.jsonl",
                           key=KEY)
    answers, errors = results(folder / "broken")
    checks.equal((done.returncode, answers, len(errors)), (2, [], 1), "broken: exit and rows")
    for row in errors:
        checks.equal((row["error"]["status_code"], row["moot"]["class"], row["moot"]["calls"]),
                     (500, "provider", 2), "broken: status, class and calls")
        checks.that("this is a mock internal server error" in row["error"]["message"],
                    f"broken: {row['error']['message']}")


def interrupt_once(moot, folder, config, word):
    """moot batch until its progress has something under `word`; its exit code."""
    (folder / "agent.yaml").write_text(json.dumps(config, indent=1))
    argv = [moot, "batch", "-c", "agent.yaml", "questions.jsonl", "-o", "answers.jsonl",
            "--concurrency", "1", "--progress", "json"]
    with subprocess.Popen(argv, cwd=folder, stderr=subprocess.PIPE, text=True,
                          env=peers.clean_environment(INTEROP_KEY=KEY),
                          preexec_fn=peers.end_with_parent) as process:
        with open(folder / "moot.log", "w", encoding="utf-8") as log:
            interrupts = 0
            for line in process.stderr:
                log.write(line)
                now = json.loads(line) if line.startswith("{") else {}
                # Twice: let what runs finish, which it will not; once that is heard, stop.
                if interrupts < 2 and now.get("draining" if interrupts else word):
                    process.send_signal(signal.SIGINT)
                    interrupts += 1
        return process.wait(timeout=60)


def check_waiting(checks, moot, folder, proxy):
    """Of a 429 no row dies, and a told limit is kept: rows wait, and stay for the next run."""
    for endpoint, rows, least, word in (("busy", 1, 0, "throttled"),
                                        ("limited", 2 * A_MINUTE, 1, "waiting_for_quota_of")):
        config = prepare(folder / endpoint, proxy, {"oracle": endpoint}, rows)
        code = interrupt_once(moot, folder / endpoint, config, word)
        answers, errors = results(folder / endpoint)
        checks.equal((code, errors), (130, []), f"{endpoint}: exit and failed rows")
        checks.that(least <= len(answers) < rows, f"{endpoint}: {len(answers)} answers")
        log = (folder / endpoint / "moot.log").read_text().splitlines()
        refused = any(json.loads(line)["throttled"] for line in log if line.startswith("{"))
        checks.equal(refused, endpoint == "busy", f"{endpoint}: was refused")
        print(f"{endpoint}: {len(answers)} of {rows} rows answered when it was interrupted")


def main():
    options = peers.options(__doc__).parse_args()
    python = peers.need_python_package(options.peers, "litellm")
    with peers.workspace("litellm") as (folder, checks), Proxy(python, folder) as proxy:
        check_answers(checks, options.moot, folder, proxy)
        check_failure(checks, options.moot, folder, proxy)
        check_waiting(checks, options.moot, folder, proxy)


main()
