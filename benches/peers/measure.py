"""What the bench scripts share: a process followed to its end, ratios of rounds, the repository's places."""

import json
import os
import platform
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent
BACKBONES = REPOSITORY / "assets" / "backbones"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ended:
    """A process that ended well; `cpu_seconds` holds its children too, where it waited for them."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    lines: list

    @property
    def answer(self):
        """The JSON object of the last line."""
        return json.loads(self.lines[-1])


def follow(command, environment=None, memory=False, on_line=None):
    """Runs `command` to its end; exits with its words where it fails.

    `memory` looks at the anonymous memory of the whole process tree every 20 ms, which costs time of the machine.
    `on_line(line, pid)` is called as each line of the output arrives.
    """
    began = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True,
                               env=os.environ | (environment or {}))
    peak = Peak(process.pid) if memory else None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if on_line:
            on_line(lines[-1], process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: ended with {process.returncode}")
    return Ended(seconds, usage.ru_utime + usage.ru_stime, peak.stop() if peak else 0.0, lines)


class Peak(threading.Thread):
    """The highest anonymous memory of a process and its descendants; pages that forks share count once."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.mb, self.ended = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            self.mb = max(self.mb, sum(map(anonymous_mb, tree_of(self.pid))))

    def stop(self):
        self.ended.set()
        self.join()
        return self.mb


def tree_of(pid):
    """`pid` and its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            pass  # it has just ended
    return found


def anonymous_mb(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("Pss_Anon:")), 0.0)


def cpu_seconds_of(pid):
    """User and system seconds of a living process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ratio(ours, theirs):
    """The median of ours / theirs over rounds, with the smallest and largest behind it."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def machine():
    return f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"
