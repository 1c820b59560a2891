"""What `run.sh` prints of what the programs wrote:

    tables.py losses NAME CPU.jsonl CUDA.jsonl     two trainings of one recipe, from `frostline train --json`
    tables.py answers CPU.jsonl CUDA.jsonl         answers of one export, from `frostline predict --json`
    tables.py step NAME LOG                        times of a job, from the bench of steps or its peer
"""

import json
import statistics
import sys


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def row(cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def away(ours, reference):
    return abs(ours - reference) / max(abs(reference), 1e-12)


def losses(name, cpu, cuda):
    cpu, cuda = read(cpu), read(cuda)
    steps, epochs = ([([e for e in side if e.get("event") == kind]) for side in (cpu, cuda)] for kind in ("step", "epoch"))
    print(f"\n{name}: {len(steps[0])} and {len(steps[1])} steps")
    if not steps[0] or len(steps[0]) != len(steps[1]) or len(epochs[0]) != len(epochs[1]):
        sys.exit(f"failed: {name}: the trainings did not go equally far")
    print("| epoch | train loss CPU | GPU | away | val loss CPU | GPU | away | val accuracy CPU | GPU | s CPU | GPU |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    far = []
    for a, b in zip(*epochs):
        cells = [a["epoch"]]
        for key in ("train_loss", "val_loss"):
            far.append(away(b[key], a[key]))
            cells += [f"{a[key]:.6f}", f"{b[key]:.6f}", f"{far[-1]:.1e}"]
        row(cells + [f"{a['val_accuracy']:.4f}", f"{b['val_accuracy']:.4f}", f"{a['seconds']:.1f}", f"{b['seconds']:.1f}"])
    by_step = [away(b["loss"], a["loss"]) for a, b in zip(*steps)]
    worst = max(range(len(by_step)), key=by_step.__getitem__)
    pair = " and ".join(f"{side[worst]['loss']:.6f}" for side in steps)
    print(f"losses away: first step {by_step[0]:.1e}, first ten at most {max(by_step[:10]):.1e}, all at most "
          f"{by_step[worst]:.1e} (step {worst + 1}: {pair}); epochs at most {max(far):.1e}")


def answers(cpu, cuda):
    cpu, cuda = ([{x["label"]: x["probability"] for x in a.get("labels") or []} for a in read(path)] for path in (cpu, cuda))
    same = sum(next(iter(a), None) == next(iter(b), None) for a, b in zip(cpu, cuda))
    apart = [abs(p - b[label]) for a, b in zip(cpu, cuda) for label, p in a.items() if label in b]
    print(f"{len(cpu)} and {len(cuda)} answers; the same label first in {same}; probabilities at most "
          f"{max(apart, default=float('nan')):.1e} apart")


def step(name, log):
    found = read(log)
    if not found:
        row([name, "failed", "", ""])
        sys.exit(1)
    ms = found[-1]["ms"]
    row([name, f"{statistics.median(ms):.2f}", f"{min(ms):.2f}", f"{max(ms):.2f}"])


if __name__ == "__main__":
    {"losses": losses, "answers": answers, "step": step}[sys.argv[1]](*sys.argv[2:])
