#!/usr/bin/env python3
"""Kills a run at random moments, begins it again each time, and holds the books against the provider's.

    tests/e2e/kill_many.py build/release/engine/cli/moot --kills 1000 --rows 20000 --seed 1

A campaign is one run, killed again and again until it is complete, then begun a few more times to be
killed while there is nothing left to do; campaigns follow each other until the kills are used up. Each
draws how many rows are at work, on how many loops, how long answers are (long ones let the side file be
rewritten) and how long they take. Moments are drawn from the whole life of the process, and more of them
where it reads its files, rewrites the side file, or ends.

After every kill, with nothing allowed for luck:
- a row has a line or none; a call that the provider was asked for and that is in no file was in flight:
  at most one of each row, and no more of all than calls may be in flight at once
- rows that were begun and have no line are no more than places
(In flight is what was asked and whose answer is not in the file. The provider cannot see more than that
it has sent an answer, so its own count, taken right after the kill, is shown and not judged by.)
At the end of each campaign:
- every row has exactly one line, the side file is gone, the summary is the sum of the lines
- requests at the provider = calls in the journal + calls that kills lost, counted one by one; the tokens
  it billed = tokens in the journal + those of the lost calls it had billed
"""
import argparse
import collections
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import harness

ROLES = ("o-model", "j-model")
QUESTION = "What is {0:06} and {0:06}?"
LONG = "An answer that goes on and on, as those of models do when nobody stops them. " * 80
WAIT_S = 120


class Failure(Exception):
    pass


def require(condition, *what):
    if not condition:
        raise Failure(" ".join(str(word) for word in what))


class Growing:
    """A file of lines that is read on from where it was read last, or anew when it is another one."""

    def __init__(self, path):
        self.path, self.at, self.inode, self.total = path, 0, None, 0

    def lines(self):
        """(is it another file than last time?, the whole lines that are new)."""
        try:
            file = open(self.path, "rb")
        except FileNotFoundError:
            return self.inode is not None, []
        with file:
            stat = os.fstat(file.fileno())
            is_other = stat.st_ino != self.inode or stat.st_size < self.at
            if is_other:
                self.at, self.inode = 0, stat.st_ino
            file.seek(self.at)
            lines = file.read().split(b"\n")[:-1]
        self.at += sum(len(line) + 1 for line in lines)
        self.total = len(lines) + (0 if is_other else self.total)
        return is_other, [json.loads(line) for line in lines]

    def count(self):
        """How many lines there are now."""
        self.lines()
        return self.total


class Campaign:
    """One run from its first beginning to its end."""

    def __init__(self, words, draw, folder):
        self.rows, self.program, self.draw, self.folder = words.rows, words.program, draw, folder
        self.at_once = draw.choice((1, 7, 64, 64, 200))
        self.loops = draw.choice((1, 1, 2))
        self.is_long = draw.random() < 0.3
        self.latency_ms = draw.choice((0, 2, 10))
        self.lost = collections.Counter()  # (row, role): times
        self.asked = collections.Counter()
        self.done, self.sided = set(), set()
        self.kills = self.most_lost = self.in_flight = self.rewrites = 0
        self.prices = []
        self.kills_meant = max(1, words.campaign_kills)
        harness.write_lines(self.path("in.jsonl"), (
            {"id": f"r{i:06}", "question": QUESTION.format(i)} for i in range(self.rows)))
        self.results = Growing(self.path("out.jsonl"))
        self.calls = Growing(self.path("out.calls.jsonl"))
        self.sent = Growing(self.path("sent.jsonl"))
        self.command = [self.program, "batch", "-c", "agent.json", "in.jsonl", "-o", "out.jsonl",
                        "--concurrency", str(self.at_once), "--loops", str(self.loops),
                        "--progress", "off"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def describe(self):
        return (f"{self.at_once} at once on {self.loops} loops, answers after {self.latency_ms} ms, "
                f"{'long' if self.is_long else 'short'}")

    def start_mock(self):
        words = ["--record", "sent.jsonl", "--latency", f"{self.latency_ms}ms",
                 "--jitter", f"{self.latency_ms}ms"]
        if self.is_long:
            with open(self.path("answers"), "w", encoding="utf-8") as file:
                file.write(f"\t{LONG}\n")
            words += ["--answers", "answers"]
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder,
                       **{name: value for name, value in os.environ.items()
                          if name.endswith("SAN_OPTIONS")}}
        self.mock = harness.Mock(words, self.folder, {**environment, "MOOT_API_KEY": harness.KEY})
        self.environment = {**environment, "DATABRICKS_TOKEN": harness.KEY,
                            "DATABRICKS_HOST": self.mock.url}

    def start(self):
        return subprocess.Popen(self.command, cwd=self.folder, env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=open(self.path("stderr"), "wb"))

    # --- moments ---------------------------------------------------------------------------------

    @staticmethod
    def ended_within(process, seconds):
        fd = os.pidfd_open(process.pid)
        try:
            return bool(select.select([fd], [], [], seconds)[0])
        finally:
            os.close(fd)

    def until(self, process, condition):
        """It is so, or the process has ended."""
        while not condition() and not self.ended_within(process, 0.0003):
            pass

    def until_asked(self, process):
        """A share of all calls was asked since it began, about as large as the kills leave to each."""
        record = self.path("sent.jsonl")
        target = os.path.getsize(record) + self.draw.uniform(0, 2) * self.bytes_meant()
        self.until(process, lambda: os.path.getsize(record) >= target)

    def bytes_meant(self):
        line = 300 + self.is_long * len(LONG) / 2
        return 2 * self.rows * line / self.kills_meant

    def is_near_rewrite(self):
        """The side file is nearly as large as the journal lets it grow."""
        path = self.path("out.calls.jsonl")
        return os.path.exists(path) and os.path.getsize(path) > 60 << 20

    def until_rewrite(self, process):
        """The side file is being rewritten."""
        temporary = self.path("out.calls.jsonl.tmp")
        self.until(process, lambda: os.path.exists(temporary))
        self.rewrites += os.path.exists(temporary)

    def until_end(self, process):
        """Every row has its line."""
        written = Growing(self.path("out.jsonl"))
        self.until(process, lambda: written.count() >= self.rows)

    def kill_somewhere(self):
        """One more run, killed or ended before that. Returns whether it was killed."""
        process = self.start()
        kind = self.draw.random()
        if kind < 0.2:
            delay = self.draw.uniform(0, 0.1)
        elif kind < 0.7 and self.is_near_rewrite():
            self.until_rewrite(process)
            delay = self.draw.uniform(0, 0.05)
        elif kind < 0.5 and len(self.done) > 0.9 * self.rows:
            self.until_end(process)
            delay = self.draw.uniform(0, 0.03)
        else:
            self.until_asked(process)
            delay = self.draw.uniform(0, 0.005)
        if not self.ended_within(process, delay):
            process.send_signal(signal.SIGKILL)
        code = process.wait(WAIT_S)
        if code != -signal.SIGKILL:
            self.check_end(code)
        return code == -signal.SIGKILL

    # --- books -----------------------------------------------------------------------------------

    def settled_ledger(self):
        """When the provider has seen everything that was sent to it, and that nobody waits."""
        before, deadline = None, time.monotonic() + WAIT_S
        while True:
            now = self.mock.ledger_now()
            if before is None:
                self.in_flight += now["in_flight"]
            if now == before and now["in_flight"] == 0:
                return now
            require(time.monotonic() < deadline, "the provider does not come to rest:", now)
            before = now

    def read_files(self):
        """What the run knows; each line is looked at once."""
        is_other, lines = self.results.lines()
        require(not is_other or not self.done, "out.jsonl is another file")
        for line in lines:
            require(line["id"] not in self.done, "twice in out.jsonl:", line["id"])
            require("answer" in line, "no answer:", line)
            self.done.add(line["id"])
        is_other, lines = self.calls.lines()
        if is_other:
            self.sided.clear()
        for line in lines:
            require(line["step"] == 0, line)
            self.sided.add(line["id"])
        require(not os.path.exists(self.path("out.errors.jsonl")) or
                os.path.getsize(self.path("out.errors.jsonl")) == 0, "a row failed")

    def knows(self, row, role):
        return row in self.done or (role == ROLES[0] and row in self.sided)

    def check_kill(self):
        ledger = self.settled_ledger()
        _, requests = self.sent.lines()
        now = collections.Counter()
        for request in requests:
            question = next(message["content"] for message in request["body"]["messages"]
                            if message["content"].startswith("What is "))
            now["r" + question[8:14], request["endpoint"]] += 1
        self.read_files()
        lost = collections.Counter()
        begun = set()
        for (row, role), times in now.items():
            require(times == 1, row, role, "asked", times, "times by one run")
            self.asked[row, role] += 1
            missing = self.asked[row, role] - self.knows(row, role) - self.lost[row, role]
            require(missing in (0, 1), row, role, "was known, and was asked again")
            lost[row] += missing
            self.lost[row, role] += missing
            if row not in self.done:
                begun.add(row)
        total = sum(lost.values())
        require(max(lost.values(), default=0) <= 1, "more than one call of a row was lost:",
                [row for row in lost if lost[row] > 1])
        require(total <= self.at_once, total, "calls lost,", self.at_once, "at once")
        require(len(begun) <= self.at_once, len(begun), "rows open,", self.at_once, "at once")
        require(sum(self.asked.values()) == ledger["requests"], "the provider's record is short")
        self.most_lost = max(self.most_lost, total)

    def check_end(self, code):
        """It ended by itself: then all is done."""
        with open(self.path("stderr"), encoding="utf-8") as file:
            require(code == 0, "exit code", code, file.read())
        self.check_kill()
        require(len(self.done) == self.rows, len(self.done), "of", self.rows, "rows have a line")
        require(not os.path.exists(self.path("out.calls.jsonl")), "the side file is still there")

    def check_books(self):
        """The journal's sums, the summary's and the provider's."""
        lines = harness.lines_of(self.path("out.jsonl"))
        calls = sum(line["moot"]["calls"] for line in lines)
        tokens = [sum(line["usage"][kind + "_tokens"] for line in lines)
                  for kind in ("input", "output")]
        with open(self.path("out.summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        require(summary["rows"]["succeeded"] == summary["rows"]["total"] == self.rows, summary)
        require(summary["calls"]["made"] == calls == 2 * self.rows, summary, calls)
        require([summary["tokens"]["input"], summary["tokens"]["output"]] == tokens, summary, tokens)
        ledger = self.mock.stop()
        lost = [sum(times for (_, of), times in self.lost.items() if of == role) for role in ROLES]
        require(ledger["requests"] == calls + sum(lost), ledger, calls, lost)
        more = [ledger["tokens_in"] - tokens[0], ledger["tokens_out"] - tokens[1]]
        require(self.could_be_billed(ledger["billed"] - calls, more, lost),
                "tokens that nobody accounts for:", ledger, tokens, lost)
        return ledger

    def could_be_billed(self, count, tokens, lost):
        """Whether so many of the lost calls cost so many tokens. All calls of a role are alike."""
        for oracles in range(lost[0] + 1):
            judges = count - oracles
            cost = [oracles * self.prices[0][i] + judges * self.prices[1][i] for i in (0, 1)]
            if 0 <= judges <= lost[1] and cost == tokens:
                return True
        return False

    def learn_prices(self):
        """What one call of each role costs in tokens, from a run of one row that nobody disturbs."""
        harness.write_lines(self.path("one.jsonl"), [{"id": "one", "question": QUESTION.format(0)}])
        command = [self.program, "batch", "-c", "agent.json", "one.jsonl", "-o", "one-out.jsonl",
                   "--progress", "off"]
        roles = {role: {**model, "max_tokens": 4000} for role, model in harness.MODELS.items()}
        for models in ({"oracle": roles["oracle"]}, roles):
            with open(self.path("agent.json"), "w", encoding="utf-8") as file:
                json.dump({"models": models, "flow": list(models)}, file)
            ended = subprocess.run([*command, "--fresh"], cwd=self.folder, env=self.environment,
                                   capture_output=True, check=False)
            require(ended.returncode == 0, ended.stderr)
            usage = harness.lines_of(self.path("one-out.jsonl"))[0]["usage"]
            self.prices.append([usage["input_tokens"], usage["output_tokens"]])
        self.prices[1] = [self.prices[1][i] - self.prices[0][i] for i in (0, 1)]
        self.mock.stop()

    # --- the whole -------------------------------------------------------------------------------

    def run(self, kills_max):
        """At most so many kills. Returns a line that tells of it."""
        self.start_mock()
        self.learn_prices()
        self.mock.kill()
        self.start_mock()
        began = time.monotonic()
        while len(self.done) < self.rows and self.kills < kills_max:
            self.kills += self.kill_somewhere()
            self.check_kill()
        for _ in range(min(5, kills_max - self.kills)): # of runs that have nothing left to do
            self.kills += self.kill_somewhere()
            self.check_kill()
        process = self.start()
        self.check_end(process.wait(WAIT_S))
        ledger = self.check_books()
        lost = sum(self.lost.values())
        return (f"{self.kills} kills, {self.rows} rows, {self.describe()}: "
                f"{ledger['requests']} calls asked, {lost} again ({self.in_flight} were at the "
                f"provider), at most {self.most_lost} by one kill; {self.rewrites} at a rewrite; "
                f"{time.monotonic() - began:.1f} s")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--campaign-kills", type=int, default=100,
                        help="about so many kills until a run is complete")
    words = parser.parse_args()
    words.program = os.path.abspath(words.program)
    return words


def main():
    words = parse()
    harness.program = words.program
    draw = random.Random(words.seed)
    kills, campaign = 0, 0
    while kills < words.kills:
        folder = tempfile.mkdtemp(prefix="moot-kill-")
        one = Campaign(words, draw, folder)
        try:
            print(f"seed {words.seed}, campaign {campaign}:",
                  one.run(words.kills - kills), flush=True)
        except (Failure, AssertionError) as failure:
            print(f"seed {words.seed}, campaign {campaign}, {one.describe()}, after "
                  f"{one.kills} kills: {failure}\nwhat is left is in {folder}")
            return 1
        finally:
            one.mock.kill()
        shutil.rmtree(folder)
        kills += one.kills
        campaign += 1
    print(f"{kills} kills in {campaign} runs of {words.rows} rows: each row once, the books agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
