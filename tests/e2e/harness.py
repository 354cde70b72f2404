"""Runs the real program as a user would, and keeps what came of it.

A scenario is a unittest case with a folder of its own, in which every command runs. Nothing here
sleeps: a wait is for a line of output, for the end of a process, or for the emulator's own ledger,
and each is bounded. After every test the provider's key is looked for in all that was written.

    python3 SCENARIO.py PROGRAM FOLDER-OF-TEST-DATA FOLDER-OF-REPORTS
"""
import base64
import collections
import http.client
import json
import os
import random
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

# No word of any other text begins like this, so that a leak cannot be a coincidence.
KEY = "dapi-canary-5f0c2ad97be14d31"
WAIT_S = 60
SKIPPED = 77

MODELS = {
    "oracle": {"endpoint": "o-model", "instruction": "You know.", "max_tokens": 100},
    "judge": {"endpoint": "j-model", "instruction": "You judge.", "max_tokens": 50},
}

Ended = collections.namedtuple("Ended", "code out err")

program = data_folder = ""
table = []


def base64_forms(secret):
    """What of the secret shows in the base64 of any text around it, at each of three alignments."""
    for before in range(3):
        text = base64.b64encode(b"x" * before + secret + b"x" * (-(before + len(secret)) % 3))
        yield text[4 if before else 0:-4]


FORBIDDEN = [KEY.encode(), *base64_forms(KEY.encode())]


def lines_of(path):
    """The parsed lines of a file that holds whole lines; [] if there is none."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def whole_lines_of(path):
    """The same of a file that may end in half a line, as after a kill."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return [json.loads(line) for line in file if line.endswith(b"\n")]


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def questions(count):
    return [{"id": f"r{i}", "question": f"What is {i} and {i}?"} for i in range(count)]


class Process:
    """A running program whose lines can be waited for."""

    def __init__(self, words, folder, environment, **popen):
        self.words = words
        self.process = subprocess.Popen(
            [program, *words], cwd=folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **{"stdin": subprocess.DEVNULL, **popen})
        self.texts = {self.process.stdout: b"", self.process.stderr: b""}
        self.open = set(self.texts)

    def _read(self, deadline):
        ready, _, _ = select.select(list(self.open), [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"moot {shlex.join(self.words)}: nothing for {WAIT_S} s; so far:\n"
                                 f"{self.out}{self.err}")
        for stream in ready:
            text = os.read(stream.fileno(), 1 << 16)
            self.texts[stream] += text
            if not text:
                self.open.discard(stream)

    @property
    def out(self):
        return self.texts[self.process.stdout].decode()

    @property
    def err(self):
        return self.texts[self.process.stderr].decode()

    def line(self, stream, holds=""):
        """The first whole line of `stream` ("out" or "err") that holds a text."""
        deadline = time.monotonic() + WAIT_S
        while True:
            for line in getattr(self, stream).splitlines(keepends=True):
                if line.endswith("\n") and holds in line:
                    return line.rstrip("\n")
            if not self.open:
                raise AssertionError(f"moot {shlex.join(self.words)} ended without '{holds}':\n"
                                     f"{self.out}{self.err}")
            self._read(deadline)

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        """Wait for the end."""
        deadline = time.monotonic() + WAIT_S
        while self.open:
            self._read(deadline)
        code = self.process.wait(WAIT_S)
        return Ended(code, self.out, self.err)

    def kill(self):
        """Leave nothing behind, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in self.texts:
            stream.close()


class Mock(Process):
    """moot mock; `url` is its base URL."""

    def __init__(self, words, folder, environment):
        super().__init__(["mock", *words], folder, environment)
        self.url = self.line("out")
        self.connection = http.client.HTTPConnection(self.url.split("//")[1], timeout=WAIT_S)

    def ledger_now(self):
        self.connection.request("GET", "/_moot/ledger")
        return json.load(self.connection.getresponse())

    def wait_for(self, condition):
        """Ask for the ledger until it fulfils the condition; each time is a round trip."""
        deadline = time.monotonic() + WAIT_S
        while True:
            ledger = self.ledger_now()
            if condition(ledger):
                return ledger
            if time.monotonic() > deadline:
                raise AssertionError(f"the emulator never got there: {ledger}")

    def kill(self):
        self.connection.close()
        super().kill()

    def stop(self):
        """Its ledger, as it prints it at its end."""
        self.send(signal.SIGTERM)
        ended = self.end()
        if ended.code != 0:
            raise AssertionError(f"moot mock ended with {ended.code}: {ended.err}")
        return json.loads(ended.out.splitlines()[-1])


class Scenario(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="moot-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.look_for_key)
        self.said = []  # (command, everything it printed)
        self.random = random.Random(self.id())
        self.environment = {name: value for name, value in os.environ.items()
                            if name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
                            or name.endswith("SAN_OPTIONS")}
        self.environment.update(HOME=self.folder, DATABRICKS_TOKEN=KEY)

    def path(self, name):
        return os.path.join(self.folder, name)

    # --- what runs -------------------------------------------------------------------------------

    def start(self, *words, **popen):
        process = Process(list(words), self.folder, self.environment, **popen)
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        """The end of a process that `start` began, as a line of the table."""
        ended = process.end()
        command = "moot " + shlex.join(process.words)
        first = next((line for line in ended.err.splitlines() if line[:1] != "{"), "")
        table.append((self.id().split(".", 1)[1], command, ended.code, first))
        self.said.append((command, ended.out + ended.err))
        return ended

    def run_moot(self, *words, **popen):
        return self.finish(self.start(*words, **popen))

    def mock(self, *words):
        """An emulator that asks for the key; the environment then points at it."""
        mock = Mock(list(words), self.folder, {**self.environment, "MOOT_API_KEY": KEY})
        self.addCleanup(mock.kill)
        self.environment["DATABRICKS_HOST"] = mock.url
        return mock

    # --- what it runs on -------------------------------------------------------------------------

    def configure(self, **sections):
        """agent.json: two short roles, the provider from the environment."""
        with open(self.path("agent.json"), "w", encoding="utf-8") as file:
            json.dump({"models": MODELS, **sections}, file)

    def prepare(self, count):
        """The smallest run: a configuration and that many rows. Returns its words."""
        self.configure()
        write_lines(self.path("in.jsonl"), questions(count))
        return ["batch", "-c", "agent.json", "in.jsonl", "-o", "out.jsonl"]

    def data(self, *names):
        path = os.path.join(data_folder, *names)
        if not os.path.exists(path):
            self.skipTest(data_folder)
        return path

    # --- what came of it -------------------------------------------------------------------------

    def results(self, name="out.jsonl"):
        return lines_of(self.path(name))

    def expect(self, ended, code, *texts):
        """The exit code, and a message that is one line and holds these texts."""
        self.assertEqual(ended.code, code, ended.err)
        if not texts:
            return
        lines = [line for line in ended.err.splitlines() if all(text in line for text in texts)]
        self.assertTrue(lines, f"no line with all of {texts} in:\n{ended.err}")
        self.assertTrue(lines[0].startswith("moot: "), lines[0])

    def expect_only_message(self, ended, code, *texts):
        """The same where nothing else is to be said."""
        self.expect(ended, code, *texts)
        self.assertEqual(len(ended.err.splitlines()), 1, ended.err)
        self.assertEqual(ended.out, "")

    def expect_each_once(self, count, name="out.jsonl"):
        ids = sorted(row["id"] for row in self.results(name))
        self.assertEqual(ids, sorted(row["id"] for row in questions(count)))
        self.assertEqual(self.results(name.replace(".jsonl", ".errors.jsonl")), [])

    def look_for_key(self):
        for command, text in self.said:
            for form in FORBIDDEN:
                self.assertNotIn(form, text.encode(), f"the key in the output of {command}")
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read()
                for form in FORBIDDEN:
                    self.assertFalse(form in text, f"the key in {name}")


def print_table(path):
    width = max((len(row[1]) for row in table), default=0)
    with open(path, "w", encoding="utf-8") as file:
        for case, command, code, first in table:
            line = f"{case:44} {command:{width}} {code:4}  {first}\n"
            file.write(line)
            sys.stdout.write(line)


class Result(unittest.TextTestResult):
    """Says how long each test took, which is what one wants to know of a slow suite."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        print(f"{test.id().split('.', 1)[1]}: {time.monotonic() - self.began:.1f} s")


def main():
    global program, data_folder
    program, data_folder, reports = (os.path.abspath(path) for path in sys.argv[1:4])
    only = [word for word in sys.argv[4:] if not word.endswith(".so")]
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if only:
        suite = unittest.defaultTestLoader.loadTestsFromNames(only, sys.modules["__main__"])
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result).run(suite)
    os.makedirs(reports, exist_ok=True)
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    print_table(os.path.join(reports, name + ".txt"))
    for test, reason in result.skipped:
        print(f"skipped: {reason}: {test.id()}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped else 0)
