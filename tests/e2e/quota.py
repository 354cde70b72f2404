"""Providers that say no: every row is answered all the same."""
import json

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


if __name__ == "__main__":
    harness.main()
