"""A run that is stopped, at any moment and in any way, and begun again: nothing is lost, nothing is
there twice, and what was paid for is not asked again."""
import collections
import signal

import harness
from harness import lines_of, whole_lines_of

ROWS = 120
AT_ONCE = 12


class Stopped(harness.Scenario):
    def begin(self, *mock_words):
        """A run with a middle: answers take their time, and AT_ONCE rows are at work."""
        words = self.prepare(ROWS) + ["--concurrency", str(AT_ONCE), "--progress", "json"]
        mock = self.mock("--record", "sent.jsonl", *mock_words)
        return mock, words

    def known(self):
        """{row: how many of its calls are on the disk}."""
        calls = collections.Counter(call["id"] for call in
                                    whole_lines_of(self.path("out.calls.jsonl")))
        for row in whole_lines_of(self.path("out.jsonl")):
            calls[row["id"]] = 2
        return calls

    def check_strict(self, known):
        """The record says what was asked: of no row is more than the call in flight unknown, so the
        oracle's answer was in a file before the judge was asked."""
        asked = collections.Counter(
            line["body"]["messages"][1]["content"] for line in lines_of(self.path("sent.jsonl")))
        for row in harness.questions(ROWS):
            self.assertIn(asked[row["question"]] - known[row["id"]], (0, 1), row)

    def check_resumed(self, mock, known, requests_before):
        """After the second run: what it asked is exactly what was not known."""
        self.expect_each_once(ROWS)
        ledger = mock.stop()
        self.assertEqual(ledger["requests"] - requests_before, 2 * ROWS - sum(known.values()))
        asked = collections.Counter(
            line["body"]["messages"][1]["content"] for line in lines_of(self.path("sent.jsonl"))
            if line["endpoint"] == "o-model")
        for row in harness.questions(ROWS):
            most = 1 if known[row["id"]] else 2
            self.assertIn(asked[row["question"]], range(1, most + 1), row)
        return ledger


class Killed(Stopped):
    def kill_at(self, requests):
        mock, words = self.begin("--latency", "10ms", "--jitter", "20ms")
        run = self.start(*words)
        mock.wait_for(lambda ledger: ledger["requests"] >= requests)
        run.send(signal.SIGKILL)
        self.assertEqual(self.finish(run).code, -signal.SIGKILL)
        at_kill = mock.wait_for(lambda ledger: ledger["in_flight"] == 0)
        known = self.known()
        self.assertLess(sum(known.values()), 2 * ROWS, "the run was over before it was killed")
        self.check_strict(known)
        self.expect(self.run_moot(*words), 0)
        extra = self.check_resumed(mock, known, at_kill["requests"])["requests"] - 2 * ROWS
        print(f"killed at request {at_kill['requests']}, {sum(known.values())} calls on the disk: "
              f"{extra} asked again")
        self.assertLessEqual(extra, AT_ONCE)
        self.assertEqual(at_kill["requests"] - sum(known.values()), extra)

    def test_early(self):
        self.kill_at(self.random.randint(1, AT_ONCE))

    def test_anywhere_1(self):
        self.kill_at(self.random.randint(AT_ONCE, 2 * ROWS - AT_ONCE))

    def test_anywhere_2(self):
        self.kill_at(self.random.randint(AT_ONCE, 2 * ROWS - AT_ONCE))

    def test_anywhere_3(self):
        self.kill_at(self.random.randint(AT_ONCE, 2 * ROWS - AT_ONCE))

    def test_late(self):
        self.kill_at(2 * ROWS - self.random.randint(1, AT_ONCE))

    def test_again_and_again(self):
        """Killed three times on the way."""
        mock, words = self.begin("--latency", "10ms", "--jitter", "20ms")
        before = known = None
        for share in (1, 2, 3):
            run = self.start(*words)
            mock.wait_for(lambda ledger, share=share: ledger["requests"] >= share * ROWS // 2)
            run.send(signal.SIGKILL)
            self.assertEqual(self.finish(run).code, -signal.SIGKILL)
            before = mock.wait_for(lambda ledger: ledger["in_flight"] == 0)["requests"]
            known = self.known()
        self.expect(self.run_moot(*words), 0)
        self.expect_each_once(ROWS)
        ledger = mock.stop()
        self.assertEqual(ledger["requests"] - before, 2 * ROWS - sum(known.values()))
        self.assertLessEqual(ledger["requests"] - 2 * ROWS, 3 * AT_ONCE)


class Interrupted(Stopped):
    def test_once(self):
        mock, words = self.begin("--latency", "50ms", "--jitter", "50ms")
        run = self.start(*words)
        mock.wait_for(lambda ledger: ledger["requests"] >= ROWS // 2)
        run.send(signal.SIGINT)
        self.expect(self.finish(run), 130, "interrupted", "the same command goes on")
        ledger = mock.ledger_now()
        self.assertEqual(ledger["abandoned"], 0, "rows under way are finished")
        self.assertEqual(ledger["requests"], 2 * len(self.results()))
        self.assertLess(len(self.results()), ROWS)
        known = self.known()
        self.expect(self.run_moot(*words), 0)
        self.assertEqual(self.check_resumed(mock, known, ledger["requests"])["requests"], 2 * ROWS)

    def test_twice(self):
        mock, words = self.begin("--latency", "10m")  # nobody waits for that
        run = self.start(*words)
        mock.wait_for(lambda ledger: ledger["requests"] >= AT_ONCE)
        run.send(signal.SIGINT)
        run.line("err", '"draining":true')
        run.send(signal.SIGINT)
        self.expect(self.finish(run), 130, "interrupted", "the same command goes on")
        self.assertEqual(self.results(), [])
        ledger = mock.stop()
        self.assertEqual((ledger["requests"], ledger["answered"]), (AT_ONCE, 0))
        mock = self.mock()
        self.expect(self.run_moot(*words), 0)
        self.expect_each_once(ROWS)
        self.assertEqual(mock.stop()["requests"], 2 * ROWS)


if __name__ == "__main__":
    harness.main()
