"""How much faster a second thread makes training steps and the pass that fills the cache, in Frostline and in PyTorch.

    python threads.py --ours STEPS [--rounds 5] [--steps 5] [--alone] [--jobs JOB ..]

STEPS is the program that `benches/run` builds from `benches/steps.rs`; the jobs are its own, of which those that end in
`-forward` are what fills the cache. With 1 and with 2 threads by turns; a round's time is the median of its steps, a
ratio the median over rounds of one thread's time over two threads' of the same round. --alone leaves PyTorch out.
"""

import argparse
import statistics
from pathlib import Path
from sys import executable

from measure import PEERS, follow, machine, ratio

JOBS = ["minilm-full-dropout", "minilm-last2cached", "lite0-full", "mobilenetv2-full", "resnet18-full",
        "minilm-forward", "mobilenetv2-forward", "lite0-forward", "resnet18-forward"]
LEAST = 1.7


def measure(command, job, steps, threads):
    ended = follow([*command, job, "--steps", steps, "--threads", threads])
    return statistics.median(ended.answer["ms"])


def row(job, arguments):
    ours = {1: [], 2: []}
    theirs = {1: [], 2: []}
    peer = [executable, PEERS / "steps.py"]
    for _ in range(arguments.rounds):
        for threads in (1, 2):
            ours[threads].append(measure([arguments.ours], job, arguments.steps, threads))
            if not arguments.alone:
                theirs[threads].append(measure(peer, job, arguments.steps, threads))
    middle = lambda times: "; ".join(f"{statistics.median(times[n]):.0f}" for n in (1, 2))  # noqa: E731
    cells = [job, middle(ours), ratio(ours[1], ours[2])]
    if not arguments.alone:
        cells += [middle(theirs), ratio(theirs[1], theirs[2])]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--jobs", nargs="+", default=JOBS)
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.rounds} rounds of {arguments.steps} steps; at least {LEAST} is wanted of ours\n")
    titles = ["job", "ours ms, 1; 2 threads", "ours, 1 to 2"]
    if not arguments.alone:
        titles += ["torch ms, 1; 2 threads", "torch, 1 to 2"]
    print(f"| {' | '.join(titles)} |\n|---{'|--:' * (len(titles) - 1)}|")
    for job in arguments.jobs:
        print(row(job, arguments), flush=True)


if __name__ == "__main__":
    main()
