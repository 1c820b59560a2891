"""Runs `benches/steps.rs` and its PyTorch peer by turns and prints a table; started by `benches/run`.

    python compare_steps.py --ours PROGRAM [--rounds 5] [--steps 5] [--jobs JOB ..]

In each round every job runs once in every program, each in a process of its own; a round's time is the median of
its steps. A ratio is the median over rounds of ours / PyTorch's of the same round, with the smallest and largest
behind it and the limit that the project sets itself. Convolutional networks run in both of PyTorch's layouts and the
faster one counts, round by round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path

import timm
import torch
import transformers

# What ours may take of PyTorch's time at most: of the reference configuration, of the lean one.
LIMITS = {
    "minilm-full-dropout": (0.90, 0.90), "minilm-last2-dropout": (0.70, 1.1),
    "minilm-last2cached-dropout": (0.40, 0.65), "minilm-full": (1.10, 1.10), "minilm-forward": (1.05, 1.05),
    "lite0-full": (0.90, 0.90), "mobilenetv2-full": (0.90, 0.90), "resnet18-full": (1.10, 1.10),
    "resnet50-full": (1.10, 1.10), "mobilenetv2-forward": (0.80, 0.80), "lite0-forward": (0.80, 0.80),
    "resnet18-forward": (1.05, 1.05),
}


def measure(command):
    """(median milliseconds of a step, peak anonymous MB)."""
    out = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    answer = json.loads(out.splitlines()[-1])
    return statistics.median(answer["ms"]), answer["anonymous_mb"]


def torch_once(job, steps, lean):
    # A plain script has no cached frostline: it computes the frozen layers in every step.
    job = job.replace("last2cached", "last2")
    peer = [sys.executable, Path(__file__).parent / "steps.py", job, "--steps", steps]
    if job.startswith("minilm"):
        return measure([*peer, *(["--lean"] if lean else [])])
    return min(measure([*peer, "--layout", layout]) for layout in ("nchw", "channels_last"))


def ratio(ours, theirs, limit):
    ratios = [a[0] / b[0] for a, b in zip(ours, theirs)]
    middle = statistics.median(ratios)
    said = "" if limit is None else f", at most {limit:.2f}{'' if middle <= limit else ' NOT MET'}"
    return f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f}){said}"


def row(job, rounds, steps, program):
    # The lean variant differs only where something is frozen and training.
    has_lean = "last2" in job
    ours, reference, lean = [], [], []
    for _ in range(rounds):
        ours.append(measure([program, job, "--steps", steps]))
        reference.append(torch_once(job, steps, lean=False))
        if has_lean:
            lean.append(torch_once(job, steps, lean=True))
    middle = lambda runs: f"{statistics.median(run[0] for run in runs):.0f}"  # noqa: E731
    peak = lambda runs: f"{max(run[1] for run in runs):.0f}"  # noqa: E731
    lean_runs = lean or reference
    limits = LIMITS.get(job, (None, None))
    return (f"| {job} | {middle(ours)} | {middle(reference)}; {middle(lean_runs)} | {ratio(ours, reference, limits[0])} "
            f"| {ratio(ours, lean_runs, limits[1])} | {peak(ours)} | {peak(lean_runs)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--jobs", nargs="+", default=list(LIMITS))
    arguments = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; "
          f"{arguments.rounds} rounds of {arguments.steps} steps; torch {torch.__version__}, timm {timm.__version__}, "
          f"transformers {transformers.__version__}\n")
    print("| job, batch 16 | ours ms | torch ms (reference; lean) | ours / reference | ours / lean "
          "| ours peak MB | torch peak MB |\n|---|--:|--:|--:|--:|--:|--:|")
    for job in arguments.jobs:
        print(row(job, arguments.rounds, arguments.steps, arguments.ours), flush=True)


if __name__ == "__main__":
    main()
