#!/usr/bin/env python3
"""Trains Frostline on each fold that peers/kfold.py has written and prints accuracy, macro F1 and seconds.

    python benches/peers/kfold.py --data DATA --backbone ID --folds 5 --seed 0 --out FOLDS
    python benches/folds.py --folds FOLDS --backbone ID [--thaw GLOB].. [--epochs N] [--lr X]

Reported is the best epoch's validation score, as the program reports it, and beside it the last epoch's, which
was not chosen on the samples that score it.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run_fold(program, fold, arguments):
    """Final and best scores of one training, and its seconds from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder) / "project"
        new = [program, "new", "--data", fold, "--backbone", arguments.backbone, "--out", project]
        for name in ("epochs", "lr"):
            if getattr(arguments, name) is not None:
                new += [f"--{name}", str(getattr(arguments, name))]
        for pattern in arguments.thaw:
            new += ["--thaw", pattern]
        subprocess.run(new, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started = time.perf_counter()
        train = [program, "train", project, "--json"]
        lines = subprocess.run(train, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        seconds = time.perf_counter() - started
    events = [json.loads(line) for line in lines.splitlines()]
    last = [event for event in events if event["event"] == "epoch"][-1]
    best = events[-1]
    return best["val_accuracy"], last["val_accuracy"], last["val_macro_f1"], seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=pathlib.Path, required=True)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--thaw", action="append", default=[])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--program", default=shutil.which("frostline") or str(ROOT / "target/release/frostline"))
    arguments = parser.parse_args()
    folds = sorted(path for path in arguments.folds.iterdir() if path.is_dir())
    results = [run_fold(arguments.program, fold, arguments) for fold in folds]
    for name, values in zip(("best epoch accuracy", "last epoch accuracy", "last epoch macro F1"), zip(*results)):
        print(f"{name:<20} {statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}")
    print(f"{'seconds, median':<20} {statistics.median(result[3] for result in results):.1f}")


if __name__ == "__main__":
    main()
