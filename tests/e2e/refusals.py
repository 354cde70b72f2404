"""What a run says when it cannot go on: one line that names the place and the way out, an exit code,
and nothing asked that need not be."""
import json
import os
import socket

import harness

ROWS = 8
LITERAL = "dapi-4711-in-plain-sight"


class Configuration(harness.Scenario):
    """Refused before anything is sent."""

    def refuse(self, text, *texts):
        with open(self.path("agent.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        harness.write_lines(self.path("in.jsonl"), harness.questions(ROWS))
        mock = self.mock()
        ended = self.run_moot("batch", "-c", "agent.yaml", "in.jsonl", "-o", "out.jsonl")
        self.expect_only_message(ended, 1, *texts)
        self.assertFalse(os.path.exists(self.path("out.jsonl")))
        self.assertEqual(mock.stop()["connections"], 0)

    def test_unknown_key(self):
        self.refuse("models:\n"
                    "  oracle: {endpoint: o}\n"
                    "  judge: {endpoint: j}\n"
                    "configuration:\n"
                    "  user_respnse_instruction: Better?\n", "agent.yaml:5:3: ",
                    "user_respnse_instruction")

    def test_literal_secret(self):
        self.refuse("models: {oracle: {endpoint: o}, judge: {endpoint: j}}\n"
                    "providers:\n"
                    "  default:\n"
                    "    type: databricks\n"
                    f"    api_key: {LITERAL}\n", "agent.yaml:5:14: ", "env:")
        self.assertNotIn(LITERAL, self.said[-1][1])

    def test_no_provider(self):
        del self.environment["DATABRICKS_TOKEN"]
        self.configure()
        harness.write_lines(self.path("in.jsonl"), harness.questions(ROWS))
        ended = self.run_moot("batch", "-c", "agent.json", "in.jsonl", "-o", "out.jsonl")
        self.expect_only_message(ended, 1, "DATABRICKS_HOST and DATABRICKS_TOKEN")

    def test_no_such_files(self):
        words = self.prepare(ROWS)
        self.mock()
        words[2] = "agnet.json"
        self.expect_only_message(self.run_moot(*words), 1, "agnet.json")
        words[2:4] = ["agent.json", "input.jsonl"]
        self.expect_only_message(self.run_moot(*words), 1, "input.jsonl", "No such file")
        words[3:] = ["in.jsonl", "-o", "nowhere/out.jsonl"]
        self.expect_only_message(self.run_moot(*words), 1, "nowhere/out.jsonl")


class Changed(harness.Scenario):
    """The same command on something else than what it was begun on."""

    def setUp(self):
        super().setUp()
        self.words = self.prepare(ROWS)
        self.provider = self.mock()
        self.expect(self.run_moot(*self.words, "--limit", "3"), 0)

    def refuse(self, *texts):
        before = self.provider.ledger_now()["requests"]
        self.expect_only_message(self.run_moot(*self.words), 1, *texts, "out.jsonl", "--fresh",
                                 "--allow-changes")
        self.assertEqual(self.provider.ledger_now()["requests"], before)

    def test_input(self):
        harness.write_lines(self.path("in.jsonl"), harness.questions(ROWS + 1))
        self.refuse("the input changed")
        self.expect(self.run_moot(*self.words, "--allow-changes"), 0)
        self.expect_each_once(ROWS + 1)
        self.assertEqual(self.provider.stop()["requests"], 2 * (ROWS + 1))

    def test_configuration(self):
        self.configure(configuration={"user_response_instruction": "Shorter, please."})
        self.refuse("the configuration changed")
        self.expect(self.run_moot(*self.words, "--fresh"), 0)
        self.expect_each_once(ROWS)

    def test_lost_manifest(self):
        os.unlink(self.path("out.moot.json"))
        self.refuse("out.moot.json")

    def test_bad_line_in_the_middle(self):
        with open(self.path("out.jsonl"), "r+b") as file:
            text = file.read()
            at = text.index(b"\n") + 1
            file.seek(at)
            file.write(b"#")
        self.expect_only_message(self.run_moot(*self.words), 1, "out.jsonl, line 2", "--fresh")


class Peers(harness.Scenario):
    """The provider is not there, or not who it should be."""

    def test_wrong_authority(self):
        words = self.prepare(ROWS)
        other = self.mock("--tls", "--ca-out", "other.pem")
        other.stop()
        mock = self.mock("--tls", "--ca-out", "ca.pem")
        ended = self.run_moot(*words, "--ca", "other.pem", "--progress", "off")
        self.expect_only_message(ended, 1, "localhost", "certificate", "--ca")
        self.expect_only_message(self.run_moot(*words, "--progress", "off"), 1, "localhost",
                                 "certificate", "--ca")
        self.assertEqual(self.results(), [])
        self.expect(self.run_moot(*words, "--ca", "ca.pem"), 0)
        self.expect_each_once(ROWS)
        self.assertEqual(mock.stop()["requests"], 2 * ROWS)

    def test_no_such_ca_file(self):
        words = self.prepare(ROWS)
        self.mock("--tls", "--ca-out", "ca.pem")
        self.expect_only_message(self.run_moot(*words, "--ca", "cb.pem"), 1, "cb.pem")

    def test_wrong_key(self):
        words = self.prepare(ROWS)
        mock = self.mock()
        self.environment["DATABRICKS_TOKEN"] = "dapi-another"
        ended = self.run_moot(*words, "--progress", "off")
        self.expect_only_message(ended, 1, "HTTP 401", "api_key")
        self.assertEqual(self.results(), [])
        self.assertLessEqual(mock.stop()["requests"], ROWS)

    def dead(self, host, *texts):
        """The run stops, and its rows are as they were: the same command goes on."""
        words = self.prepare(ROWS)
        self.environment["DATABRICKS_HOST"] = host
        ended = self.run_moot(*words, "--max-outage", "2s")
        self.expect(ended, 3, "'default' has not answered", *texts)
        self.assertEqual(self.results(), [])
        self.assertEqual(self.results("out.errors.jsonl"), [])
        self.mock()
        self.expect(self.run_moot(*words), 0)
        self.expect_each_once(ROWS)

    def test_nobody_listens(self):
        with socket.socket() as listener:  # bound, never listening: every connection is refused
            listener.bind(("127.0.0.1", 0))
            self.dead(f"http://127.0.0.1:{listener.getsockname()[1]}",
                      f"127.0.0.1 port {listener.getsockname()[1]}", "refused")

    def test_unknown_host(self):
        self.dead("https://nobody.invalid", "nobody.invalid")

    def test_plain_http_elsewhere(self):
        words = self.prepare(ROWS)
        self.environment["DATABRICKS_HOST"] = "http://provider.invalid"
        self.expect_only_message(self.run_moot(*words), 1, "plain http", "use https")


class Output(harness.Scenario):
    def test_in_use(self):
        words = self.prepare(ROWS)
        mock = self.mock("--latency", "10m")
        first = self.start(*words)
        mock.wait_for(lambda ledger: ledger["requests"] >= 1)
        self.expect_only_message(self.run_moot(*words), 1, "out.jsonl", "another process")
        first.kill()

    def test_a_device(self):
        words = self.prepare(ROWS)
        mock = self.mock()
        words[-1] = "/dev/full"
        self.expect_only_message(self.run_moot(*words), 1, "/dev/full", "regular file")
        self.assertEqual(mock.stop()["requests"], 0)

    def test_an_input_of_no_kind(self):
        words = self.prepare(ROWS)
        mock = self.mock()
        with open(self.path("in.jsonl"), "w", encoding="utf-8") as file:
            json.dump({"colour": "red"}, file)
        self.expect_only_message(self.run_moot(*words), 1, "in.jsonl", "prompt")
        self.assertEqual(mock.stop()["requests"], 0)


if __name__ == "__main__":
    harness.main()
