"""A disk that fails in every way that can be arranged: the message says what, where and what to do,
the exit code is the documented one, nothing more is asked, and the same command afterwards ends the
run with each row once."""
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys

import harness
from harness import whole_lines_of

ROWS = 120
AT_ONCE = 8
AGAIN = "the same command again"
EXT4_SHUTDOWN, WITHOUT_DATA = 0x8004587d, 2


class Faults(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.words = self.prepare(ROWS) + ["--concurrency", str(AT_ONCE), "--progress", "off"]
        self.output = "out.jsonl"
        self.provider = self.mock()

    def fail_with(self, *rules):
        """The environment of a run whose disk fails."""
        self.environment["LD_PRELOAD"] = sys.argv[4]
        self.environment["ASAN_OPTIONS"] = (
            self.environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        self.environment["FAILING_DISK"] = ",".join(rules)
        self.environment["FAILING_DISK_LOG"] = self.path("log")

    def mend(self):
        del self.environment["LD_PRELOAD"]

    def calls_on(self, name):
        """[(call, what came of it)] of a file that the rules name."""
        with open(self.path("log"), encoding="utf-8") as log:
            return [(call, int(result)) for call, file, result in map(str.split, log)
                    if file == name]

    def calls_known(self):
        """How many calls are in the files: two of a row that has a line."""
        rows = [row["id"] for row in whole_lines_of(self.path(self.output))]
        self.assertEqual(len(rows), len(set(rows)))
        calls = whole_lines_of(self.path(self.output.replace(".jsonl", ".calls.jsonl")))
        return 2 * len(rows) + len({call["id"] for call in calls} - set(rows))

    def check_goes_on(self, again_max):
        """The same command asks what is in no file; so many calls, at most, were made twice."""
        known = self.calls_known()
        before = self.provider.wait_for(lambda ledger: ledger["in_flight"] == 0)["requests"]
        self.expect(self.run_moot(*self.words), 0)
        self.expect_each_once(ROWS, self.output)
        asked = self.provider.stop()["requests"]
        self.assertEqual(asked - before, 2 * ROWS - known)
        self.assertLessEqual(asked, 2 * ROWS + again_max)
        return known

    def check(self, rule, again_max, *texts):
        self.fail_with(rule)
        self.expect(self.run_moot(*self.words), 1, *texts)
        self.mend()
        self.check_goes_on(again_max)


class Injected(Faults):
    """Each call that a run makes on its files."""

    def test_write_result(self):
        self.check(f"write:/out.jsonl:4000:{errno.EIO}", AT_ONCE, "cannot write out.jsonl", AGAIN)

    def test_write_call(self):
        self.check(f"write:/out.calls.jsonl:4000:{errno.EIO}", AT_ONCE,
                   "cannot write out.calls.jsonl", AGAIN)

    def test_write_read_only(self):
        self.check(f"write:/out.jsonl:0:{errno.EROFS}", AT_ONCE, "cannot write out.jsonl", AGAIN)

    def test_write_quota(self):
        self.check(f"write:/out.jsonl:9000:{errno.EDQUOT}", AT_ONCE, "cannot write out.jsonl",
                   "no space left", AGAIN)

    def test_write_manifest(self):
        self.check(f"write:/out.moot.json.tmp:0:{errno.EIO}", 0, "cannot write out.moot.json",
                   AGAIN)

    def test_write_summary(self):
        self.check(f"write:/out.summary.json.tmp:0:{errno.EIO}", 0, "cannot write out.summary.json",
                   AGAIN)

    def test_sync_manifest(self):
        self.check(f"fdatasync:/out.moot.json.tmp:0:{errno.EIO}", 0, "cannot write out.moot.json",
                   AGAIN)

    def test_close_manifest(self):
        self.check(f"close:/out.moot.json.tmp:0:{errno.EIO}", 0, "cannot write out.moot.json",
                   AGAIN)

    def test_close_summary(self):
        self.check(f"close:/out.summary.json.tmp:0:{errno.EIO}", 0, "cannot write out.summary.json",
                   AGAIN)

    def test_rename_manifest(self):
        self.check(f"rename:out.moot.json:0:{errno.EIO}", 0, "cannot write out.moot.json",
                   AGAIN)

    def test_rename_summary(self):
        self.check(f"rename:out.summary.json:0:{errno.EIO}", 0, "cannot write out.summary.json",
                   AGAIN)

    def test_rename_batch_object(self):
        self.check(f"rename:out.batch.json:0:{errno.EIO}", 0, "cannot write out.batch.json",
                   AGAIN)

    def test_short_writes_and_interrupts(self):
        """Nothing that anybody notices."""
        self.fail_with("write:/out.jsonl:0:short", "write:/out.calls.jsonl:0:short",
                       "write:/out.moot.json.tmp:0:short")
        self.expect(self.run_moot(*self.words), 0)
        self.mend()
        self.assertIn(("write", -1), self.calls_on("out.jsonl"))
        self.check_goes_on(0)


class Unsynced(Faults):
    def check_not_trusted(self, name):
        """After a sync that failed no other one may say that all is well."""
        syncs = self.calls_on(name)
        self.assertEqual(syncs[-1], ("fdatasync", errno.EIO))
        self.assertEqual(len([sync for sync in syncs if sync[1] != 0]), 1)

    def test_at_the_end(self):
        self.fail_with(f"fdatasync:/out.jsonl:1:{errno.EIO}")
        self.expect(self.run_moot(*self.words), 1, "cannot sync out.jsonl", AGAIN)
        self.check_not_trusted("out.jsonl")
        self.assertFalse(os.path.exists(self.path("out.summary.json")))
        self.mend()
        # The judges' answers were in lines that may never reach the disk; the oracles' are kept.
        self.assertEqual(self.check_goes_on(ROWS), ROWS)

    def test_on_the_way(self):
        """The run goes on for longer than a second, and ends when the sync of it fails."""
        self.provider.stop()
        self.provider = self.mock("--latency", "100ms")
        self.words[self.words.index("--concurrency") + 1] = "2"
        self.fail_with(f"fdatasync:/out.calls.jsonl:1:{errno.EIO}")
        self.expect(self.run_moot(*self.words), 1, "cannot sync out.calls.jsonl", AGAIN)
        self.check_not_trusted("out.calls.jsonl")
        self.assertLess(len(self.results()), ROWS)
        self.mend()
        self.words[self.words.index("--concurrency") + 1] = "100"
        # Of two open rows the call in flight, and the one whose line was not synced.
        self.check_goes_on(2 * 2)


class Mounted(Faults):
    """A file system of its own, which goes away under the run."""

    def mount(self):
        for name in ("image", "disk"):
            self.assertFalse(os.path.exists(self.path(name)))
        with open(self.path("image"), "wb") as image:
            image.truncate(16 << 20)
        os.mkdir(self.path("disk"))
        mkfs = shutil.which("mkfs.ext4", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        made = mkfs and subprocess.run([mkfs, "-q", self.path("image")], check=False,
                                       capture_output=True).returncode == 0
        if not made or not self.mount_image():
            self.skipTest("ext4 on a loop device, for root")
        self.addCleanup(self.umount)
        self.output = "disk/out.jsonl"
        self.words[self.words.index("out.jsonl")] = self.output

    def mount_image(self):
        return subprocess.run(["mount", "-o", "loop,errors=remount-ro", self.path("image"),
                               self.path("disk")], check=False, capture_output=True).returncode == 0

    def umount(self):
        subprocess.run(["umount", self.path("disk")], check=True)

    def run_until(self, rows):
        """A run of which so many rows are in the file."""
        self.provider.stop()
        self.provider = self.mock("--latency", "20ms", "--jitter", "20ms")
        run = self.start(*self.words)
        self.provider.wait_for(lambda ledger: ledger["requests"] >= 2 * rows + AT_ONCE)
        return run

    def test_read_only(self):
        self.mount()
        run = self.run_until(ROWS // 2)
        # As the kernel does it when it finds the file system broken.
        subprocess.run(["mount", "-o", "remount,abort", self.path("disk")], check=False,
                       capture_output=True)
        self.expect(self.finish(run), 1, "cannot ", "disk/out.", AGAIN)
        self.umount()
        self.assertTrue(self.mount_image())
        print(f"read-only in the middle; {self.check_goes_on(2 * ROWS)} calls were there afterwards")

    def test_power_cut(self):
        """What was synced is there, what was not may be gone."""
        self.mount()
        run = self.run_until(ROWS // 2)
        folder = os.open(self.path("disk"), os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_DATA))
        finally:
            os.close(folder)
        self.expect(self.finish(run), 1, "cannot ", "disk/out.", AGAIN)
        self.umount()
        self.assertTrue(self.mount_image())
        print(f"cut in the middle; {self.check_goes_on(2 * ROWS)} calls were there afterwards")


class Shared(Faults):
    def test_two_processes(self):
        """The second is told, and the first does not notice."""
        self.provider.stop()
        self.provider = self.mock("--latency", "20ms")
        first = self.start(*self.words)
        self.provider.wait_for(lambda ledger: ledger["requests"] >= AT_ONCE)
        self.expect_only_message(self.run_moot(*self.words), 1, "out.jsonl", "another process",
                                 "choose another output")
        self.expect(self.finish(first), 0)
        self.check_goes_on(0)


if __name__ == "__main__":
    harness.main()
