"""Providers that say no: every row is answered all the same."""
import json
import os
import signal
import time

import harness


class Quota(harness.Scenario):
    def check(self, rows, mock_words, *words):
        command = self.prepare(rows)
        mock = self.mock(*mock_words)
        ended = self.run_moot(*command, "--progress", "off", "--json", *words)
        self.expect(ended, 0)
        self.expect_each_once(rows)
        ledger = mock.stop()
        outcome = json.loads(ended.out)
        refused = ledger["throttled"] + sum(ledger["faults"].values())
        self.assertEqual(ledger["answered"], 2 * rows)
        self.assertEqual(ledger["requests"], 2 * rows + refused)
        self.assertEqual(outcome["throttled"], refused)
        print(f"{refused} of {ledger['requests']} requests were refused "
              f"({100 * refused / ledger['requests']:.1f} %), in {outcome['elapsed_s']:.1f} s: "
              f"{60 * ledger['answered'] / outcome['elapsed_s']:.0f} answers a minute")
        return ledger, outcome

    def test_random_refusals(self):
        ledger, _ = self.check(80, ["--fault", "429:30%", "--hints", "ms"])
        self.assertGreater(ledger["faults"]["429"], 0.2 * ledger["requests"])

    def test_random_refusals_without_hints(self):
        self.check(40, ["--fault", "429:30%", "--hints", "none"])

    def test_unsaid_quota(self):
        """600 requests a minute, as 60 in 6 s so that the burst is short: found without a hint.
        What finding it costs is printed by `check`."""
        rows = 100
        _, outcome = self.check(rows, ["--rpm", "60", "--window", "6s", "--hints", "none"])
        least_s = (2 * rows - 60) / 10
        self.assertLess(outcome["elapsed_s"], 1.3 * least_s)

    def test_said_quota(self):
        """The same, told: nothing has to be refused."""
        ledger, _ = self.check(40, ["--rpm", "600", "--hints", "none"], "--rate", "default:rpm=600")
        self.assertEqual(ledger["throttled"], 0)

    def test_told_quota(self):
        """Told by the answers' headers alone: kept from the first answer on, though the provider's
        bucket would let more through at first."""
        rows = 30
        for form in ("openai", "ietf"):
            with self.subTest(form=form):
                self.forget_results()
                ledger, outcome = self.check(
                    rows, ["--rpm", "600", "--quota-headers", form, "--hints", "none",
                           "--latency", "50ms"])
                self.assertEqual(ledger["throttled"], 0)
                self.assertGreater(outcome["elapsed_s"], 0.8 * (2 * rows - 20) / 10)

    def test_hostile_headers(self):
        self.check(20, ["--quota-headers", "hostile"])

    def start_shards(self, count, rows, config, output="out"):
        harness.write_lines(self.path("in.jsonl"), harness.questions(rows))
        with open(self.path("shared.yaml"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        return [self.start("batch", "-c", "shared.yaml", "in.jsonl", "-o", f"{output}.{i}.jsonl",
                           "--shard", f"{i}/{count}", "--progress", "off")
                for i in range(count)]

    def shared(self, mock, rpm):
        return {"models": harness.MODELS, "providers": {"default": {
            "type": "databricks", "base_url": mock.url, "api_key": "env:DATABRICKS_TOKEN",
            "requests_per_minute": rpm, "share": "quota"}}}

    def test_shards_share_a_quota(self):
        """Four processes on one quota, of which one is killed: they use it, and no more than it.
        6,000 requests a minute, as 100 in a second so that the provider's burst is short."""
        rows, rpm = 480, 6000
        mock = self.mock("--rpm", str(rpm // 60), "--window", "1s", "--hints", "none",
                         "--latency", "20ms")
        shards = self.start_shards(4, rows, self.shared(mock, rpm))
        mock.wait_for(lambda ledger: ledger["answered"] >= rows / 4)
        shards[0].send(signal.SIGKILL)
        began, before = time.monotonic(), mock.ledger_now()["answered"]
        for shard in shards[1:]:
            self.expect(self.finish(shard), 0)
        elapsed_s = time.monotonic() - began
        done = [len(harness.whole_lines_of(self.path(f"out.{i}.jsonl"))) for i in range(4)]
        self.assertEqual(done[1:], [rows / 4] * 3)
        ledger = mock.stop()
        used = (ledger["answered"] - before) * 60 / elapsed_s
        print(f"{ledger['throttled']} of {ledger['requests']} requests were refused; after the "
              f"kill {used:.0f} answers a minute of {rpm}")
        self.assertLessEqual(ledger["throttled"], 0.01 * ledger["requests"])

    def test_another_quota_in_use(self):
        mock = self.mock("--latency", "100ms")
        first = self.start_shards(1, 4000, self.shared(mock, 600))[0]
        mock.wait_for(lambda ledger: ledger["answered"] >= 2)
        second = self.start_shards(1, 4000, self.shared(mock, 1200), "other")[0]
        ended = self.finish(second)
        self.expect(ended, 1, "quota is in use with another quota")
        first.kill()

    def forget_results(self):
        for name in os.listdir(self.folder):
            if name.startswith("out."):
                os.remove(self.path(name))


class Outage(harness.Scenario):
    """The provider goes away for some seconds: everybody waits, nobody fails."""

    def test_away_and_back(self):
        rows = 400
        words = self.prepare(rows)
        mock = self.mock("--latency", "100ms")
        port = mock.url.rsplit(":", 1)[1]
        process = self.start(*words, "--concurrency", "20", "--progress", "plain", "--json")
        mock.wait_for(lambda ledger: ledger["answered"] >= 200)
        mock.kill()
        time.sleep(8)
        mock = self.mock("--latency", "100ms", "--port", port)
        ended = self.finish(process)
        self.expect(ended, 0)
        self.expect_each_once(rows)
        outcome = json.loads(ended.out)
        print(f"{outcome['calls']} calls for {rows} rows of two, an outage between: "
              f"{outcome['elapsed_s']:.1f} s")
        self.assertLessEqual(outcome["calls"], 1.10 * 2 * rows)
        self.assertIn("'default' has not answered for", ended.err)
        self.assertIn("refused", ended.err)

    def test_a_drain_does_not_wait(self):
        rows = 200
        words = self.prepare(rows)
        mock = self.mock("--latency", "100ms")
        process = self.start(*words, "--concurrency", "20", "--progress", "off")
        mock.wait_for(lambda ledger: ledger["answered"] >= 60)
        mock.kill()
        time.sleep(3)
        began = time.monotonic()
        process.send(signal.SIGINT)
        self.expect(self.finish(process), 130)
        self.assertLess(time.monotonic() - began, 3)
        self.mock()
        self.expect(self.run_moot(*words, "--progress", "off"), 0)
        self.expect_each_once(rows)


if __name__ == "__main__":
    harness.main()
