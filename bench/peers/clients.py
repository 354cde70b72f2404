"""The clients: each holds the same conversations with a server, and tells (conversations, seconds,
user, system, MB)."""
import json
import os
import re
import shutil

from measure import measured

QUESTION = ("Compose an engaging travel blog post about a recent trip to Hawaii, highlighting "
            "cultural experiences and must-see attractions.")
ORACLE = "You are a knowledgeable source of information that excels."
KEY = {"MOOT_BENCH_KEY": "a-key-of-no-value"}


class Work:
    """What is asked for: so many conversations, so many at once, streamed or not."""

    def __init__(self, server, folder, at_once, rows, streamed, before=()):
        self.server, self.folder, self.before = server, folder, list(before)
        self.at_once, self.rows, self.streamed = at_once, rows, streamed

    def run(self, command, **more):
        return measured(self.before + command, **more)


class Wrk:
    """Knows only requests: two of its make one conversation, though it parses nothing and its
    second does not wait for the first. Runs for a time, not for a count."""
    name = "wrk"

    def __init__(self, seconds):
        self.seconds = seconds

    def run(self, work):
        script = os.path.join(work.folder, "wrk.lua")
        body = {"messages": [{"role": "system", "content": ORACLE},
                             {"role": "user", "content": QUESTION}],
                "temperature": 0.9, "max_tokens": 5000, **({"stream": True} if work.streamed else {})}
        with open(script, "w", encoding="utf-8") as file:
            file.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                       'wrk.headers["Authorization"] = "Bearer a-key-of-no-value"\n'
                       f"wrk.body = [==[{json.dumps(body)}]==]\n")
        text, seconds, *times = work.run(
            ["wrk", "-t1", f"-c{work.at_once}", f"-d{self.seconds}s", "--timeout", "60s", "-s",
             script, f"{work.server.url}/serving-endpoints/oracle/invocations"])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        if bad:
            raise SystemExit(f"wrk: {bad.group(0)}")
        return int(re.search(r"(\d+) requests in", text).group(1)) / 2, seconds, *times


class Moot:
    """`moot batch` with everything on: limiter, journal, spans, resume."""
    name = "moot batch"

    def __init__(self, moot, traced=True):
        self.moot, self.traced = moot, traced
        self.name = "moot batch" if traced else "moot batch without spans"

    def files(self, work):
        agent = os.path.join(work.folder, "agent.yaml")
        questions = os.path.join(work.folder, f"{work.rows}.jsonl")
        with open(agent, "w", encoding="utf-8") as file:
            file.write("models:\n"
                       f"  oracle: {{endpoint: oracle, instruction: {ORACLE}, temperature: 0.9, "
                       "max_tokens: 5000}\n"
                       "  judge: {endpoint: judge, instruction: You are an evaluator of answers "
                       "provided by others., temperature: 0.5, max_tokens: 2000}\n"
                       "providers:\n"
                       f"  default: {{type: databricks, base_url: '{work.server.url}', "
                       f"concurrency: {work.at_once}, api_key: env:MOOT_BENCH_KEY}}\n")
        if not os.path.exists(questions):
            with open(questions, "w", encoding="utf-8") as file:
                for i in range(work.rows):
                    file.write(json.dumps({"id": f"row-{i:06d}", "question": QUESTION}) + "\n")
        return agent, questions

    def run(self, work):
        agent, questions = self.files(work)
        output = os.path.join(work.folder, "out")
        shutil.rmtree(output, ignore_errors=True)
        os.mkdir(output)
        command = [self.moot, "batch", "-c", agent, "--concurrency", str(work.at_once),
                   "--progress", "off", questions, "-o", os.path.join(output, "answers.jsonl")]
        command += ["--trace", os.path.join(output, "spans.jsonl")] if self.traced else []
        command += ["--stream"] if work.streamed else []
        command += ["--ca", work.server.ca] if work.server.ca else []
        _, *times = work.run(command, env={**os.environ, **KEY})
        return work.rows, *times


class Engine:
    """moot's library alone, in a small host: no journal, no spans. Plain HTTP only."""
    name = "engine alone"

    def __init__(self, micro):
        self.micro = micro

    def run(self, work):
        if work.server.ca:
            return None
        kind = "stream" if work.streamed else "conversation"
        _, *times = work.run([self.micro, kind, str(work.rows), work.server.url, str(work.at_once)])
        return work.rows, *times


class Program:
    """One of clients/: URL AT_ONCE COUNT, --stream, --ca FILE. `share` of the rows are enough for a
    slow one."""

    def __init__(self, name, command, share=1.0):
        self.name, self.command, self.share = name, command, share

    def run(self, work):
        rows = max(work.at_once, int(work.rows * self.share))
        options = ["--stream"] if work.streamed else []
        options += ["--ca", work.server.ca] if work.server.ca else []
        # Go's flags come first, the others' anywhere.
        text, *times = work.run([*self.command, *options, work.server.url, str(work.at_once),
                                 str(rows)])
        assert json.loads(text)["conversations"] == rows, text
        return rows, *times
