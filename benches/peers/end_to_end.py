"""Times whole training jobs in Frostline and in scripts over PyTorch by turns and prints a table.

    python end_to_end.py --ours PROGRAM [--rounds 5] [--jobs JOB ..] [--pictures 2000] [--texts 400] [--epochs 5]
                         [--train-mode] [--data DIR]

PROGRAM is the released `frostline`. Every time is that of whole processes, their start included: ours is `frostline new`
and `frostline train` together. Frostline begins each round with a new project, a private home and no feature cache.
The first round is not timed: it measures the memory of the process trees, warms the system's file cache for everybody
and finds the faster of PyTorch's two layouts.
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import transformers
from measure import PEERS, REPOSITORY, follow, machine, ratio
from samples import write_pictures, write_texts
from sys import executable

SIZE, QUALITY = (500, 375), 90
LAST_TWO = ["--thaw", "encoder.layer.4", "--thaw", "encoder.layer.5"]


@dataclass(frozen=True)
class Job:
    """What is trained, and the limits on ours / plain and ours / by hand."""

    backbone: str
    thaw: list
    peer: list
    has_by_hand: bool
    limits: tuple


JOBS = {
    "images-head": Job("mobilenetv2_100", [], ["plain_images.py"], True, (0.25, 0.85)),
    "texts-head": Job("all-MiniLM-L6-v2", [], ["plain_texts.py"], True, (0.25, None)),
    "texts-last2": Job("all-MiniLM-L6-v2", LAST_TWO, ["plain_texts.py", "--thaw", 2], False, (0.5, None)),
}


@dataclass(frozen=True)
class Result:
    seconds: float
    peak_mb: float
    accuracy: float
    # Part of `seconds`. Of ours: what `frostline new` took. Of a script: imports and loading the network.
    start_seconds: float


def ours(program, job, data, epochs, memory):
    with tempfile.TemporaryDirectory(prefix="frostline-bench.") as folder:
        environment = {"FROSTLINE_ASSETS": str(REPOSITORY / "assets"), "FROSTLINE_HOME": f"{folder}/home"}
        project = f"{folder}/project"
        made = follow([program, "new", "--data", data, "--backbone", job.backbone, "--out", project, *job.thaw,
                       "--epochs", epochs], environment)
        trained = follow([program, "train", project, "--json", "--threads", 2], environment, memory)
    events = [json.loads(line) for line in trained.lines]
    cache = next(event for event in events if event["event"] == "cache")
    # Equal texts are computed once.
    assert cache["computed"] >= 0.98 * cache["items"], f"the feature cache was not cold: {cache}"
    seconds = made.seconds + trained.seconds
    return Result(seconds, trained.peak_mb, events[-1]["val_accuracy"], made.seconds)


def theirs(job, data, epochs, options, memory):
    script, *rest = job.peer
    ended = follow([executable, PEERS / script, data, *rest, "--epochs", epochs, *options], memory=memory)
    return Result(ended.seconds, ended.peak_mb, ended.answer["accuracy"], ended.answer["start_seconds"])


def faster_layout(job, data):
    """The options for the layout in which the script that computes features once is faster."""
    if "images" not in job.peer[0]:
        return []
    times = {layout: theirs(job, data, 1, ["--by-hand", "--layout", layout], False).seconds
             for layout in ("nchw", "channels_last")}
    print(f"one pass: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in times.items())}", flush=True)
    return ["--layout", min(times, key=times.get)]


def row(name, job, data, arguments):
    layout = faster_layout(job, data)
    mode = ["--train-mode"] if arguments.train_mode else []
    runs = {"ours": [], "plain": [], "by hand": []}
    for number in range(arguments.rounds + 1):
        memory = number == 0
        runs["ours"].append(ours(arguments.ours, job, data, arguments.epochs, memory))
        runs["plain"].append(theirs(job, data, arguments.epochs, layout + mode, memory))
        if job.has_by_hand:
            runs["by hand"].append(theirs(job, data, arguments.epochs, [*layout, "--by-hand"], memory))
    peaks = "; ".join(f"{found[0].peak_mb:.0f}" for found in runs.values() if found)
    accuracies = "; ".join(f"{found[0].accuracy:.3f}" for found in runs.values() if found)
    seconds = {who: [run.seconds for run in found[1:]] for who, found in runs.items()}
    starts = f"{middle(r.start_seconds for r in runs['ours'])}; {middle(r.start_seconds for r in runs['plain'])}"
    times = " | ".join(middle(found) if found else "-" for found in seconds.values())
    ratios = " | ".join(with_limit(seconds["ours"], seconds[who], limit)
                        for who, limit in zip(("plain", "by hand"), job.limits))
    return f"| {name} | {times} | {starts} | {ratios} | {peaks} | {accuracies} |"


def with_limit(ours, theirs, limit):
    """Ours over theirs, and what is wanted of it where something is."""
    if not theirs:
        return "-"
    is_met = limit is None or statistics.median(a / b for a, b in zip(ours, theirs)) <= limit
    wanted = "" if limit is None else f", at most {limit:.2f}{'' if is_met else ' NOT MET'}"
    return ratio(ours, theirs) + wanted


def middle(values):
    return f"{statistics.median(values):.2f}"


def make_data(folder, arguments):
    """Paths of the pictures and of the texts, made unless they are there."""
    pictures, texts = folder / f"pictures-{arguments.pictures}", folder / f"texts-{arguments.texts}.csv"
    if any(name.startswith("images") for name in arguments.jobs) and not pictures.exists():
        size = write_pictures(pictures, arguments.pictures, SIZE, QUALITY)
        print(f"{arguments.pictures} pictures of {size:.0f} KB on average", flush=True)
    write_texts(texts, arguments.texts)
    return pictures, texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-mode", action="store_true", help="frozen layers of the plain script in train mode")
    parser.add_argument("--data", type=Path, help="where the data is made, and kept for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frostline-bench.") as folder:
        data = arguments.data or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        pictures, texts = make_data(data.resolve(), arguments)
        print(f"{machine()}; {arguments.rounds} rounds of {arguments.epochs} epochs; torch {torch.__version__}, "
              f"timm {timm.__version__}, transformers {transformers.__version__}\n")
        print("| job | ours s | plain s | by hand s | `new` s; start of plain s | ours / plain | ours / by hand "
              "| peak MB (ours; plain; by hand) | accuracy |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for name in arguments.jobs:
            samples = pictures if name.startswith("images") else texts
            print(row(name, JOBS[name], samples, arguments), flush=True)


if __name__ == "__main__":
    main()
