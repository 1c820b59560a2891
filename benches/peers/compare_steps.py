"""Runs `benches/steps.rs` and its PyTorch peer by turns and prints a table; started by `benches/run`.

    python compare_steps.py --ours PROGRAM [--rounds 5] [--steps 5] [--jobs JOB ..]

In each round every job runs once in every program, each in a process of its own; a round's time is the median of
its steps. A ratio is the median over rounds of ours / PyTorch's of the same round, with the smallest and largest
behind it. Convolutional networks run in both of PyTorch's layouts and the faster one counts, round by round.
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

JOBS = ["minilm-full-dropout", "minilm-full", "minilm-last2-dropout", "minilm-last2", "minilm-last2cached",
        "lite0-full", "mobilenetv2-full", "resnet18-full", "resnet50-full", "minilm-forward", "lite0-forward",
        "mobilenetv2-forward", "resnet18-forward"]


def measure(command):
    """(median milliseconds of a step, peak anonymous MB)."""
    out = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    answer = json.loads(out.splitlines()[-1])
    return statistics.median(answer["ms"]), answer["anonymous_mb"]


def torch_once(job, steps, lean):
    peer = [sys.executable, Path(__file__).parent / "steps.py", job, "--steps", steps]
    if job.startswith("minilm"):
        return measure([*peer, *(["--lean"] if lean else [])])
    return min(measure([*peer, "--layout", layout]) for layout in ("nchw", "channels_last"))


def ratio(ours, theirs):
    ratios = [a[0] / b[0] for a, b in zip(ours, theirs)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def row(job, rounds, steps, program):
    # The lean variant differs only where something is frozen and training.
    has_lean = "last2" in job and "cached" not in job
    ours, reference, lean = [], [], []
    for _ in range(rounds):
        ours.append(measure([program, job, "--steps", steps]))
        reference.append(torch_once(job, steps, lean=False))
        if has_lean:
            lean.append(torch_once(job, steps, lean=True))
    middle = lambda runs: f"{statistics.median(run[0] for run in runs):.0f}"  # noqa: E731
    peak = lambda runs: f"{max(run[1] for run in runs):.0f}"  # noqa: E731
    lean_runs = lean or reference
    return (f"| {job} | {middle(ours)} | {middle(reference)}; {middle(lean_runs)} | {ratio(ours, reference)} "
            f"| {ratio(ours, lean_runs)} | {peak(ours)} | {peak(lean_runs)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--jobs", nargs="+", default=JOBS)
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
