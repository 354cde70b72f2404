"""A program run to its end: what it printed, and what it took."""
import os
import re
import subprocess
import sys
import tempfile
import time


def of_proc(pid, file, pattern):
    """While it runs; what wait tells of memory counts this interpreter's, before the exec."""
    try:
        with open(f"/proc/{pid}/{file}", encoding="utf-8") as status:
            found = re.search(pattern, status.read())
        return int(found.group(1)) if found else 0
    except OSError:
        return 0


def peak_mb(pid):
    return of_proc(pid, "status", r"VmHWM:\s+(\d+) kB") / 1024


def measured(command, **more):
    """Its output, seconds, user and system time, peak memory in MB. A failure ends the run."""
    began = time.monotonic()
    rss = 0
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **more)
        ended = 0
        while not ended:
            time.sleep(0.02)
            rss = max(rss, peak_mb(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{text[-2000:]}")
    return text, seconds, usage.ru_utime, usage.ru_stime, rss
