"""CPU seconds for one sample in the scan, the filling of the cache and an epoch, with few and with many samples.

    python scale.py --ours PROGRAM [--counts 2000 20000] [--epochs 40] [--data DIR]

PROGRAM is the released `frostline`. User and system time of all threads, hence without what the clock of a busy
machine adds: of `frostline scan` as a whole, and of `frostline train` between the ends of its phases, in ticks of 10 ms.
A head is trained over MobileNetV2 on JPEG pictures of 96 x 96 in four classes. Epochs include validation, checkpoints
and events. Memory is the highest anonymous one of a second run whose time does not count.
"""

import argparse
import json
import tempfile
from pathlib import Path

from measure import REPOSITORY, cpu_seconds_of, follow, machine
from samples import write_pictures

SIDE, QUALITY = 96, 85
PHASES = ["scan", "cache", "epoch"]
MOST = 1.25


def train(program, data, epochs, memory):
    """CPU seconds at the end of each phase, and the ended process."""
    at = {}

    def on_line(line, pid):
        event = json.loads(line)["event"]
        if event in PHASES:
            at[event] = cpu_seconds_of(pid)

    with tempfile.TemporaryDirectory(prefix="frostline-bench.") as folder:
        environment = {"FROSTLINE_ASSETS": str(REPOSITORY / "assets"), "FROSTLINE_HOME": f"{folder}/home"}
        project = f"{folder}/project"
        follow([program, "new", "--data", data, "--backbone", "mobilenetv2_100", "--out", project, "--epochs", epochs],
               environment)
        ended = follow([program, "train", project, "--json", "--threads", 2], environment, memory, on_line)
    return at, ended


def measure(program, data, count, epochs):
    """Milliseconds of CPU for one sample in each phase, and peak MB."""
    at, _ = train(program, data, epochs, memory=False)
    scan = follow([program, "scan", data, "--json"])
    _, ended = train(program, data, epochs, memory=True)
    seconds = {"scan": scan.cpu_seconds, "cache": at["cache"] - at["scan"], "epoch": (at["epoch"] - at["cache"]) / epochs}
    return {phase: 1e3 * seconds[phase] / count for phase in PHASES}, ended.peak_mb


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs=2, default=[2_000, 20_000])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--data", type=Path, help="where the pictures are made, and kept for the next time")
    arguments = parser.parse_args()
    costs, peaks = [], []
    with tempfile.TemporaryDirectory(prefix="frostline-bench.") as folder:
        for count in arguments.counts:
            data = (arguments.data or Path(folder)).resolve() / f"small-{count}"
            if not data.exists():
                write_pictures(data, count, (SIDE, SIDE), QUALITY)
            cost, peak = measure(arguments.ours, data, count, arguments.epochs)
            costs.append(cost)
            peaks.append(peak)
    few, many = arguments.counts
    print(f"{machine()}; {arguments.epochs} epochs; at most {MOST} is wanted\n")
    print(f"| CPU ms for a sample | {few} samples | {many} samples | many / few |\n|---|--:|--:|--:|")
    for phase in PHASES:
        small, large = (cost[phase] for cost in costs)
        grown = f"{large / small:.2f}" if small else "-"
        print(f"| {phase} | {small:.4f} | {large:.4f} | {grown} |")
    print(f"| peak anonymous memory, MB | {peaks[0]:.0f} | {peaks[1]:.0f} | {peaks[1] / peaks[0]:.2f} |")


if __name__ == "__main__":
    main()
