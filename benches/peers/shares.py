"""Shares of processor time by part, from `perf`, for two training steps and for a whole head-only job.

    python shares.py --ours PROGRAM --steps STEPS [--jobs JOB ..] [--pictures 300] [--data DIR]

PROGRAM is the released `frostline`, STEPS the program that `benches/run` builds from `benches/steps.rs`. A sample is put
into the first part of PARTS whose pattern fits its symbol. Symbols that fit none and have more than 1 % of the samples are
listed, and what lies in the rest of the kernel is told apart. Needs Linux with perf and the right to use it.
"""

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from measure import REPOSITORY, follow, machine
from samples import write_pictures

STEP_JOBS = ["minilm-full-dropout", "lite0-full"]
HEAD_ONLY = "images-head"
# Enough that making the network and its inputs does not count.
STEPS = 20
LISTED = 0.01
KERNEL = "rest of the kernel"
REST = "rest"
PARTS = {
    "gemm": r"gemm|dyn_stack",
    # Candle's threads wait for one another in this guard.
    "waiting": r"BarrierGuard|rayon_core::(registry|sleep|latch)|crossbeam|sched|futex|yield|nanosleep|finish_task_switch|_idle|park|sleep",
    "own kernels": r"frostline::nn",
    "Candle (autograd, own operations)": r"candle_core",
    "allocation, clearing": r"clear_page|memset|^_?mi_|malloc|\bfree|_free|alloc_pages|folio|page_fault|charge|mmap|madvise"
                            r"|get_page|zap_|unmap|slab|kmem|_zero_user|brk",
    "loading (JPEG, resize, texts, hashing, files)":
        r"jsimd|decode_mcu|jpeg|jpegli|^tj|frostline::(data|backbone|project|train::(samples|cache))|image|png|fdeflate"
        r"|tokenizers|blake3|sha2|sha1|serde|safetensors|half::|fancy_regex|regex|hashbrown|vfs_|ext4|filemap|copy_to_iter"
        r"|h2v[12]|upsample|ycc|idct|memchr|utf8|blk_|iowrite",
}


def part_of(image, symbol):
    for part, pattern in PARTS.items():
        if re.search(pattern, symbol):
            return part
    return KERNEL if image.startswith("[kernel") or image.startswith("[guest") else REST


def profile(command, environment, folder):
    """{(image, symbol): samples}."""
    data = Path(folder) / "perf.data"
    follow(["perf", "record", "--quiet", "--freq", 499, "--output", data, "--", *command], environment)
    report = subprocess.run(
        ["perf", "report", "--stdio", "--input", data, "--call-graph", "none", "--fields", "sample,dso,sym",
         "--field-separator", "|"], check=True, capture_output=True, text=True).stdout
    found = Counter()
    for line in report.splitlines():
        fields = [field.strip() for field in line.split("|", 2)]
        if len(fields) == 3 and fields[0].isdigit():
            found[fields[1], re.sub(r"^\[.\] ", "", fields[2])] += int(fields[0])
    if not found:
        raise SystemExit("perf gave no samples; see /proc/sys/kernel/perf_event_paranoid")
    return found


def print_shares(job, found):
    total = sum(found.values())
    parts, unknown = Counter(), []
    for (image, symbol), count in found.most_common():
        part = part_of(image, symbol)
        parts[part] += count
        if part in (KERNEL, REST) and count > LISTED * total:
            unknown.append(f"{symbol} ({image}) {count / total:.1%}")
    print(f"\n{job}: {total} samples\n\n| part | share |\n|---|--:|")
    for part in [*PARTS, KERNEL, REST]:
        print(f"| {part} | {parts[part] / total:.1%} |")
    print(f"\nabove {LISTED:.0%} and in no part: {'; '.join(unknown) or 'nothing'}", flush=True)


def head_only(program, pictures, folder):
    environment = {"FROSTLINE_ASSETS": str(REPOSITORY / "assets"), "FROSTLINE_HOME": f"{folder}/home"}
    project = f"{folder}/project"
    follow([program, "new", "--data", pictures, "--backbone", "mobilenetv2_100", "--out", project, "--epochs", 5],
           environment)
    return profile([program, "train", project, "--json", "--threads", 2], environment, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--steps", type=Path, required=True)
    parser.add_argument("--jobs", nargs="+", default=[*STEP_JOBS, HEAD_ONLY])
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--data", type=Path, help="where the pictures are made, and kept for the next time")
    arguments = parser.parse_args()
    print(machine())
    for job in arguments.jobs:
        with tempfile.TemporaryDirectory(prefix="frostline-bench.") as folder:
            if job != HEAD_ONLY:
                command = [arguments.steps.resolve(), job, "--steps", STEPS]
                print_shares(job, profile(command, None, folder))
                continue
            pictures = (arguments.data or Path(folder)).resolve() / f"pictures-{arguments.pictures}"
            if not pictures.exists():
                write_pictures(pictures, arguments.pictures, (500, 375), 90)
            print_shares(job, head_only(arguments.ours.resolve(), pictures, folder))


if __name__ == "__main__":
    main()
