"""The tutorial's configuration as it stands, and real questions, over TLS: what was sent, what came
back, what was traced and what would be billed."""
import collections
import json
import shutil

import harness
from harness import lines_of

ORACLE = "databricks-mixtral-8x7b-instruct"
JUDGE = "databricks-meta-llama-3-1-405b-instruct"
TREE = {  # name of a span: {name of a child: how many}
    None: {"Audit Agent": 1},
    "Audit Agent": {"Agent Call": 2},
    "Agent Call": {"Assemble Conversation": 1, "Raw Agent Response": 1},
}


def message(role, content):
    return {"role": role, "content": content}


class Tutorial(harness.Scenario):
    def setUp(self):
        super().setUp()
        shutil.copyfile(self.data("golden", "model_config.json"), self.path("model_config.json"))
        with open(self.path("model_config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.closing = self.config["configuration"]["user_response_instruction"]

    def ask(self, name, rows, answers, stream):
        """Run rows through the configuration. Returns results and the requests as they came."""
        shutil.copyfile(rows, self.path(name))
        mock = self.mock("--tls", "--ca-out", "ca.pem", "--answers", answers,
                         "--record", "sent.jsonl")
        words = ["batch", "-c", "model_config.json", name, "-o", "out.jsonl", "--ca", "ca.pem",
                 "--trace", "spans.jsonl", "--json"]
        ended = self.run_moot(*words, *(["--stream"] if stream else []))
        self.expect(ended, 0)
        ledger = mock.stop()
        rows = self.results()
        self.assertEqual(self.results("out.errors.jsonl"), [])
        self.assertNotIn("lacks", ended.err)
        if answers == "golden":  # its answers tell a usage that was recorded, not measured
            ledger.update(tokens_in=11 * ledger["answered"], tokens_out=7 * ledger["answered"])
        self.check_bill(json.loads(ended.out), ledger, rows, stream)
        self.check_trace(len(rows))
        return rows, lines_of(self.path("sent.jsonl"))

    # --- what the providers' bill says -----------------------------------------------------------

    def check_bill(self, outcome, ledger, rows, stream):
        calls = 2 * len(rows)
        self.assertEqual(outcome["status"], "complete")
        for name in ("requests", "answered", "billed"):
            self.assertEqual(ledger[name], calls, name)
        self.assertEqual(ledger["streams"], calls if stream else 0)
        self.assertEqual(outcome["calls"], calls)
        self.assertEqual(outcome["retries"], 0)
        totals = {"input_tokens": ledger["tokens_in"], "output_tokens": ledger["tokens_out"]}
        self.assertEqual({name: outcome[name] for name in totals}, totals)
        self.assertEqual({name: sum(row["moot"][name] for row in rows) for name in totals}, totals)

    # --- the trace -------------------------------------------------------------------------------

    def check_trace(self, conversations):
        spans = lines_of(self.path("spans.jsonl"))
        self.assertEqual(len(spans), 7 * conversations)
        self.assertEqual(len({span["span_id"] for span in spans}), len(spans))
        by_trace = collections.defaultdict(list)
        for span in spans:
            by_trace[span["trace_id"]].append(span)
            self.assertEqual(span["status"]["code"], "OK")
        self.assertEqual(len(by_trace), conversations)
        for spans in by_trace.values():
            self.check_tree(spans)

    def check_tree(self, spans):
        by_id = {span["span_id"]: span for span in spans}
        by_parent = collections.defaultdict(list)
        for span in spans:
            parent = span.get("parent_span_id")
            self.assertTrue(parent is None or parent in by_id, span)
            by_parent[parent].append(span)
        for parent, children in by_parent.items():
            name = by_id[parent]["name"] if parent else None
            self.assertEqual(collections.Counter(child["name"] for child in children), TREE[name])
            for child in children:
                self.check_times(child, by_id.get(parent))
        roles = {span["attributes"]["gen_ai.agent.name"] for span in spans
                 if span["name"] == "Agent Call"}
        self.assertEqual(roles, {"oracle", "judge"})

    def check_times(self, span, parent):
        begin, end = (int(span[key]) for key in ("start_time_unix_nano", "end_time_unix_nano"))
        self.assertLessEqual(begin, end)
        if parent:
            self.assertLessEqual(int(parent["start_time_unix_nano"]), begin)
            self.assertLessEqual(end, int(parent["end_time_unix_nano"]))

    # --- what was sent ---------------------------------------------------------------------------

    def body(self, role, turns, stream):
        """What the golden rules demand, from the configuration itself."""
        model = self.config["models"][role]
        body = {"messages": [message("system", model["instruction"]), *turns],
                "temperature": model["temperature"], "max_tokens": model["max_tokens"]}
        return {**body, "stream": True} if stream else body

    def check_sent(self, sent, asked, oracle_says, stream):
        """Each question to the oracle once; to the judge once, with the oracle's answer in it."""
        closing = message("user", self.closing)
        wanted = collections.Counter()
        for question in asked:
            user = message("user", question)
            answer = message("assistant", oracle_says(question))
            for endpoint, role, turns in ((ORACLE, "oracle", [user]),
                                          (JUDGE, "judge", [user, answer, closing])):
                body = self.body(role, turns, stream)
                wanted[endpoint, json.dumps(body, sort_keys=True)] += 1
        found = collections.Counter((line["endpoint"], json.dumps(line["body"], sort_keys=True))
                                    for line in sent)
        self.assertEqual(list((found - wanted).items())[:2], [], "sent, but not wanted")
        self.assertEqual(list((wanted - found).items())[:2], [], "wanted, but not sent")

    def check_golden(self, sent, asked, stream):
        """The bodies that the tutorial's own code sent, for the questions it was recorded with."""
        bodies = [line["body"] for line in sent]
        met = 0
        for case in lines_of(self.data("golden", "cases.jsonl")):
            turns = case["input"]["messages"]
            is_plain = len(turns) == 1 and set(turns[0]) == {"role", "content"}
            if not is_plain or turns[0]["content"] not in asked or case["input"]["params"]:
                continue
            met += 1
            for call in case["upstream"]:
                body = {**call["body"], "stream": True} if stream else call["body"]
                self.assertIn(body, bodies, case["id"])
        self.assertGreaterEqual(met, 10)

    # --- the data sets ---------------------------------------------------------------------------

    def mt_bench(self, stream):
        path = self.data("mt_bench", "question.jsonl")
        asked = {row["question_id"]: row["turns"][0] for row in lines_of(path)}
        rows, sent = self.ask("question.jsonl", path, "echo", stream)
        self.assertEqual(sorted(row["question_id"] for row in rows), sorted(asked))
        self.check_sent(sent, asked.values(), lambda question: f"{ORACLE} heard: {question}", stream)
        for row in rows:
            self.assertEqual(row["model_id"], JUDGE)
            self.assertEqual(row["choices"][0]["turns"], [f"{JUDGE} heard: {self.closing}"])

    def golden(self, stream):
        path = self.data("mt_bench", "question.jsonl")
        asked = [row["turns"][0] for row in lines_of(path)]
        _, sent = self.ask("question.jsonl", path, "golden", stream)
        self.check_sent(sent, asked, lambda question: f"Answer from {ORACLE} to: {question[:60]}",
                        stream)
        self.check_golden(sent, asked, stream)

    def gsm8k(self, stream):
        path = self.data("gsm8k", "test.jsonl")
        asked = lines_of(path)
        rows, sent = self.ask("test.jsonl", path, "echo", stream)
        self.assertEqual(sorted(row["moot"]["line"] for row in rows),
                         list(range(1, len(asked) + 1)))
        self.check_sent(sent, [row["question"] for row in asked],
                        lambda question: f"{ORACLE} heard: {question}", stream)
        for row in rows:
            self.assertEqual(row["answer"], f"{JUDGE} heard: {self.closing}")
            # What nobody asked about is the row's own and comes back.
            self.assertEqual(row["metadata"], {"answer": asked[row["moot"]["line"] - 1]["answer"]})

    def test_mt_bench(self):
        self.mt_bench(False)

    def test_mt_bench_streamed(self):
        self.mt_bench(True)

    def test_recorded_bodies(self):
        self.golden(False)

    def test_recorded_bodies_streamed(self):
        self.golden(True)

    def test_gsm8k(self):
        self.gsm8k(False)

    def test_gsm8k_streamed(self):
        self.gsm8k(True)


if __name__ == "__main__":
    harness.main()
