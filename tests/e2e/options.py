"""The ways in which a run can be asked for."""
import csv
import glob
import gzip
import json
import os

import harness
from harness import lines_of

ROWS = 24
PRICES = {"default": {"type": "databricks", "base_url": "env:DATABRICKS_HOST",
                      "api_key": "env:DATABRICKS_TOKEN",
                      "prices": {"*": {"input": 1000, "output": 2000}}}}


class Input(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.words = self.prepare(ROWS)
        self.provider = self.mock()

    def run_on(self, name, *more, **popen):
        words = [*self.words[:3], name, *self.words[4:], "--progress", "off", *more]
        self.expect(self.run_moot(*words, **popen), 0)

    def check(self):
        self.expect_each_once(ROWS)
        self.assertEqual(self.provider.stop()["requests"], 2 * ROWS)

    def test_stdin(self):
        with open(self.path("in.jsonl"), "rb") as rows:
            self.run_on("-", stdin=rows)
        self.check()

    def test_gzip(self):
        with open(self.path("in.jsonl"), "rb") as rows, \
                gzip.open(self.path("in.jsonl.gz"), "wb") as file:
            file.write(rows.read())
        self.run_on("in.jsonl.gz")
        self.check()

    def test_csv(self):
        with open(self.path("in.csv"), "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ["id", "question", "note"])
            table.writeheader()
            for row in harness.questions(ROWS):
                table.writerow({**row, "note": 'of "two"\nlines, really'})
        self.run_on("in.csv")
        for row in self.results():
            self.assertEqual(row["metadata"], {"note": 'of "two"\nlines, really'})
        self.check()

    def test_limit(self):
        self.run_on("in.jsonl", "--limit", "5")
        self.assertEqual({row["id"] for row in self.results()}, {f"r{i}" for i in range(5)})
        self.run_on("in.jsonl")
        self.check()

    def test_loops(self):
        self.run_on("in.jsonl", "--loops", "2")
        self.check()

    def test_no_rows(self):
        with open(self.path("in.jsonl"), "w", encoding="utf-8"):
            pass
        self.run_on("in.jsonl")
        self.assertEqual(self.results(), [])


class Parts(harness.Scenario):
    def test_shards(self):
        words = self.prepare(ROWS)[:-1]
        mock = self.mock()
        ids = []
        for part in (0, 1):
            self.expect(self.run_moot(*words, f"part{part}.jsonl", "--shard", f"{part}/2",
                                      "--progress", "off"), 0)
            ids += [row["id"] for row in self.results(f"part{part}.jsonl")]
            self.assertIn(len(ids), (part * ROWS // 2 + ROWS // 2, ROWS))
        self.assertEqual(sorted(ids), sorted(row["id"] for row in harness.questions(ROWS)))
        self.assertEqual(mock.stop()["requests"], 2 * ROWS)

    def test_fresh(self):
        words = self.prepare(ROWS) + ["--progress", "off"]
        mock = self.mock()
        self.expect(self.run_moot(*words), 0)
        first = self.results()
        self.expect(self.run_moot(*words), 0)
        self.assertEqual(self.results(), first, "nothing is left to do")
        self.assertEqual(mock.ledger_now()["requests"], 2 * ROWS)
        self.expect(self.run_moot(*words, "--fresh"), 0)
        self.expect_each_once(ROWS)
        self.assertEqual(mock.stop()["requests"], 4 * ROWS)
        kept = [path for path in glob.glob(self.path("out*"))
                if os.path.isfile(path) and lines_of(path) == first]
        self.assertEqual(len(kept), 1, sorted(os.listdir(self.folder)))


class Thresholds(harness.Scenario):
    def test_retry_failed(self):
        words = self.prepare(ROWS) + ["--progress", "off"]
        mock = self.mock("--fault", "400:~What is 7 ", "--fault", "400:~What is 9 ")
        ended = self.run_moot(*words)
        self.expect(ended, 2)
        self.assertEqual(sorted(row["id"] for row in self.results("out.errors.jsonl")),
                         ["r7", "r9"])
        self.assertEqual(len(self.results()), ROWS - 2)
        mock.stop()
        mock = self.mock()
        self.expect(self.run_moot(*words), 2)
        self.assertEqual(mock.ledger_now()["requests"], 0, "failed rows are done, unless told")
        self.expect(self.run_moot(*words, "--retry-failed"), 0)
        self.expect_each_once(ROWS)
        self.assertEqual(mock.stop()["requests"], 4)

    def test_max_errors(self):
        words = self.prepare(ROWS) + ["--progress", "off"]
        mock = self.mock("--fault", "400")
        ended = self.run_moot(*words, "--max-errors", "3", "--concurrency", "2")
        self.expect(ended, 3)
        self.assertNotEqual(ended.err, "")
        self.assertIn(len(self.results("out.errors.jsonl")), range(4, 7))
        self.assertLessEqual(mock.stop()["requests"], 6)
        self.mock()
        self.expect(self.run_moot(*words, "--retry-failed"), 0)
        self.expect_each_once(ROWS)

    def test_max_cost(self):
        words = self.prepare(ROWS) + ["--json", "--progress", "off"]
        self.configure(providers=PRICES)
        mock = self.mock()
        self.expect(self.run_moot(*words, "--limit", "1"), 0)
        a_row = self.results()[0]["moot"]["cost"]
        self.assertGreater(a_row, 0)
        check = self.run_moot("check", "-c", "agent.json", "in.jsonl", "--limit", "1", "--json")
        most = json.loads(check.out)["cost_max"] + 4.5 * a_row  # the next row's bound still fits
        ended = self.run_moot(*words, "--max-cost", f"{most:.9f}", "--concurrency", "2")
        self.expect(ended, 3)
        self.assertNotEqual(ended.err, "")
        self.assertLessEqual(json.loads(ended.out)["cost"], most)
        self.assertIn(len(self.results()), range(4, 7))
        self.expect(self.run_moot(*words), 0)
        self.expect_each_once(ROWS)
        self.assertEqual(mock.stop()["requests"], 2 * ROWS)


if __name__ == "__main__":
    harness.main()
