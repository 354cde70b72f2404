"""The disk is full, or a file was cut: what was written before is kept, and goes on."""
import os
import resource
import subprocess

import harness
from harness import whole_lines_of

ROWS = 400


class Full(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.words = self.prepare(ROWS)
        self.provider = self.mock("--answers", "generated", "--tokens", "90")

    def check_stopped(self, ended, path, *texts):
        """Said, not lost: whole lines are there, and little was asked after the first failure."""
        self.expect(ended, 1, *texts)
        ids = [row["id"] for row in whole_lines_of(path)]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLess(len(ids), ROWS)
        return len(ids)

    def check_resumed(self, path, known):
        asked = self.provider.ledger_now()["requests"]
        self.expect(self.run_moot(*self.words, "--progress", "off"), 0)
        ids = sorted(row["id"] for row in whole_lines_of(path))
        self.assertEqual(ids, sorted(row["id"] for row in harness.questions(ROWS)))
        self.assertLessEqual(self.provider.stop()["requests"] - asked, 2 * (ROWS - known))

    def test_small_disk(self):
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", disk],
                                 check=False, capture_output=True)
        if mounted.returncode != 0:
            print("no small disk can be mounted here; a file that may not grow stands in")
            return
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.words[-1] = "disk/out.jsonl"
        known = self.check_stopped(self.run_moot(*self.words, "--progress", "off"),
                                   self.path("disk/out.jsonl"), "disk/out.",
                                   "no space left", "the same command again")
        self.assertGreater(known, 0)
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        self.check_resumed(self.path("disk/out.jsonl"), known)
        self.look_for_key()  # while the disk is there

    def test_file_size(self):
        """What needs no mount: a file that may not grow."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))

        ended = self.run_moot(*self.words, "--progress", "off", preexec_fn=limit)
        known = self.check_stopped(ended, self.path("out.jsonl"), "out.", "the same command again")
        self.check_resumed(self.path("out.jsonl"), known)


class Torn(harness.Scenario):
    """A last line of which only the beginning is there, as after a loss of power."""

    def test_last_line(self):
        rows = 20
        words = self.prepare(rows)
        mock = self.mock()
        self.expect(self.run_moot(*words, "--progress", "off"), 0)
        with open(self.path("out.jsonl"), "rb") as file:
            text = file.read()
        begin = text.rindex(b"\n", 0, -1) + 1
        cuts = [begin + 1, len(text) - 1, *(self.random.randint(begin, len(text)) for _ in range(6))]
        for cut in cuts:
            with open(self.path("out.jsonl"), "r+b") as file:
                file.truncate(cut)
            before = mock.ledger_now()["requests"]
            self.expect(self.run_moot(*words, "--progress", "off"), 0)
            self.expect_each_once(rows)
            lost = 0 if cut == len(text) else 1
            self.assertEqual(mock.ledger_now()["requests"] - before, 2 * lost, f"cut at {cut}")
            with open(self.path("out.jsonl"), "wb") as file:
                file.write(text)


if __name__ == "__main__":
    harness.main()
