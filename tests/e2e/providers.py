"""Every provider that there is, an oracle at one and a judge at another: the answers and the usage
are the same, to the letter, and the provider refused nothing."""
import json

import harness

ROWS = 12
# Which surface of which type, and in which word its answers say that they are complete.
SURFACES = {"databricks:invocations": "stop", "openai:chat": "stop",
            "anthropic:messages": "end_turn", "azure:v1": "stop", "azure:deployments": "stop",
            "azure:models": "stop", "azure:anthropic": "end_turn",
            "bedrock:converse": "end_turn", "bedrock:invoke": "end_turn",
            "bedrock:openai": "stop"}
AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an/example+of/a+secret"}


class Providers(harness.Scenario):
    def provider(self, url, name):
        kind, surface = name.split(":")
        if kind == "bedrock":  # each request is signed, with keys of the environment
            return {"type": kind, "surface": surface, "base_url": url, "auth": {"type": "aws"}}
        return {"type": kind, "base_url": url + ("/v1" if kind == "openai" else ""),
                "api_key": "env:DATABRICKS_TOKEN",
                **({"surface": surface} if kind == "azure" else {})}

    def check(self, oracle, judge, stream):
        harness.write_lines(self.path("in.jsonl"), harness.questions(ROWS))
        self.environment.update(AWS, AWS_REGION="us-east-1")
        mock = self.mock("--record", "sent.jsonl", "--aws-access-key", AWS["AWS_ACCESS_KEY_ID"],
                         "--aws-secret-key", AWS["AWS_SECRET_ACCESS_KEY"])
        models = {role: {**harness.MODELS[role], "provider": role} for role in harness.MODELS}
        self.configure(models=models, providers={
            "default": self.provider(mock.url, oracle), "oracle": self.provider(mock.url, oracle),
            "judge": self.provider(mock.url, judge)})
        words = ["batch", "-c", "agent.json", "in.jsonl", "-o", f"{oracle}-{judge}-{stream}.jsonl",
                 "--progress", "off", *(["--stream"] if stream else [])]
        self.expect(self.run_moot(*words), 0)
        ledger = mock.stop()
        self.assertEqual((ledger["refused"], ledger["answered"]), (0, 2 * ROWS))
        self.assertEqual(ledger["streams"], 2 * ROWS if stream else 0)
        rows = self.results(words[5])
        self.assertEqual({row["answer"] for row in rows}, {f"j-model heard: {self.closing(rows)}"})
        self.assertEqual({row["finish_reason"] for row in rows}, {SURFACES[judge]})
        self.check_what_was_sent()
        usage = tuple(sum(row["usage"][name] for row in rows)
                      for name in ("input_tokens", "output_tokens"))
        self.assertEqual(usage, (ledger["tokens_in"], ledger["tokens_out"]))
        return usage

    def closing(self, rows):
        """The judge's last word to hear: the same in every row."""
        self.assertEqual(len(rows), ROWS)
        return rows[0]["answer"].removeprefix("j-model heard: ")

    def check_what_was_sent(self):
        """Each oracle was asked each question, and each judge was shown its answer."""
        sent = harness.lines_of(self.path("sent.jsonl"))
        for role, text in (("o-model", ""), ("j-model", "o-model heard: ")):
            bodies = [json.dumps(line["body"]) for line in sent if line["endpoint"] == role]
            for row in harness.questions(ROWS):
                shown = [body for body in bodies if f"\"{text}{row['question']}\"" in body]
                self.assertEqual(len(shown), 1, f"{role} and {row['question']}")

    def test_each_beside_another(self):
        names = list(SURFACES)
        for stream in (False, True):
            expected = self.check(names[0], names[0], stream)
            for oracle, judge in zip(names, names[1:] + names[:1]):
                with self.subTest(oracle=oracle, judge=judge, stream=stream):
                    self.assertEqual(self.check(oracle, judge, stream), expected)


if __name__ == "__main__":
    harness.main()
