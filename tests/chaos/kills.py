#!/usr/bin/env python3
"""Kills Frostline before every call that changes what lies on the disk, and says what is left behind.

For each command, for each N: its folder as it was before, the command killed before its N-th call (`killer.c`: files made,
flushes, renames, removals, folders, links, cuts), the same command once more (for a training `--resume`), then the tree of
files compared with that of a run that nobody disturbed: the same names, the same content wherever no time of the day is
in it. For downloads Hugging Face's `scan_cache_dir` is asked right after each kill and at the end.

    python3 tests/chaos/kills.py [--only COMMAND] [--every K] [--python PYTHON]

PYTHON is an interpreter with huggingface_hub; without it that comparison is left out, and said so. Builds the program and
the loopback Hub with cargo, and the killer with cc. Linux alone.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

ROOT = pathlib.Path(__file__).parents[2]
MODEL = "owner/small-bert"
PICKLED = "owner/pickled-bert"
# Times, places and file numbers of the machine: compared by name alone, or by what counts in them.
TIMED = {"index.json", "history.jsonl", ".lock"}
# How fast a line was: noted by a call that fetched much.
NOTED = {"line-bytes-per-second"}
# Commands whose answer is what they print.
TELLS = {"new", "evaluate"}
SCAN = """
import json, sys
from huggingface_hub import scan_cache_dir
found = scan_cache_dir(sys.argv[1])
print(json.dumps({"warnings": [str(w) for w in found.warnings], "repos": sorted(r.repo_id for r in found.repos)}))
"""


def png(path, colour, seed):
    """A picture of 32 x 32 with noise."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + bytes((c + noise.randrange(60)) % 256 for _ in range(32) for c in colour) for _ in range(32))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Place:
    """A folder with everything: data and backbone outside of what is compared, the rest in `work`."""

    def __init__(self, folder, built, killer, python):
        self.folder, self.work, self.killer, self.python = folder, folder / "work", killer, python
        self.program = built / "frostline"
        for number, colour in enumerate([(40, 60, 200), (50, 190, 60)]):
            for one in range(8):
                png(folder / f"photos/{number}/{one}.png", colour, 100 * number + one)
        shutil.copytree(ROOT / "assets/backbones/mobilenetv2_100", folder / "mine/mobile")
        dropped = ("HF_", "HUGGING", "TRANSFORMERS_", "FROSTLINE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(dropped)}
        self.environment = kept | {"HF_HOME": str(self.work / "hf"), "FROSTLINE_HOME": str(self.work / "home"),
                                   "FROSTLINE_ASSETS": str(ROOT / "assets")}

    def run(self, arguments):
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True, cwd=self.folder)
        assert "panicked" not in done.stderr, done.stderr
        return done

    def well(self, *arguments):
        done = self.run(arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kill(self, number, arguments):
        """Killed before call `number`; gives whether it was, and how many calls there were."""
        out = self.folder / "calls"
        done = subprocess.run([self.killer, str(number), out, self.program, *arguments], env=self.environment,
                              capture_output=True, text=True, cwd=self.folder)
        assert done.returncode in (0, 137), f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.returncode == 137, int(out.read_text())

    def restore(self, before):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(before, self.work, symlinks=True)

    def tree(self):
        """What each path below `work` is, as far as it must be the same each time."""
        found = {}
        for path in sorted(self.work.rglob("*")):
            name = str(path.relative_to(self.work))
            if path.name in NOTED:
                continue
            if path.is_symlink():
                found[name] = "link to " + os.readlink(path)
            elif path.is_dir():
                found[name] = "folder"
            elif path.name == "run.json":
                record = json.loads(path.read_text())
                epochs = [{k: v for k, v in e.items() if k not in ("seconds", "samples_per_second")} for e in record["epochs"]]
                found[name] = json.dumps([record["state"], record["best_epoch"], record["best_digest"], epochs])
            elif path.name == "checkpoint.safetensors":
                # Its header holds times; the tensors come after it.
                data = path.read_bytes()
                found[name] = hashlib.sha256(data[8 + int.from_bytes(data[:8], "little"):]).hexdigest()
            elif path.name in TIMED:
                found[name] = "file"
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def agrees(self, repos):
        """Whether Python's cache scan sees what Frostline sees; `repos`: what must be there, if that is known."""
        cache = self.work / "hf/hub"
        if not self.python or not cache.is_dir():
            return
        told = json.loads(subprocess.run([self.python, "-c", SCAN, cache], capture_output=True, text=True, check=True).stdout)
        ours = [json.loads(line) for line in self.well("hub", "list", "--json").splitlines()]
        ours = sorted(entry["id"] for entry in ours if entry["source"] == "cache")
        # What was converted is listed as that; the cache holds what it came from.
        told["repos"] = [repo for repo in told["repos"] if repo != PICKLED or PICKLED in ours]
        assert not told["warnings"], told
        assert told["repos"] == ours, (told, ours)
        assert repos is None or ours == repos, (ours, repos)


def again(place, arguments):
    """The same command once more; gives its answer. What was whole before the kill came is there already."""
    done = place.run(arguments)
    known = ["something of this name already", "the newest run has finished", "there is no backbone called"]
    if done.returncode == 2 and any(words in done.stderr for words in known):
        return None
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def chase(place, name, before, arguments, every):
    """Kills `arguments` everywhere; gives how many kills there were and how often something was wrong."""
    # What the cache holds in the end.
    cached = {"download": [MODEL], "remove": [], "repair": [MODEL]}
    place.restore(before)
    was_killed, calls = place.kill(0, arguments)
    assert not was_killed
    clean, kills, wrong = place.tree(), 0, 0
    place.restore(before)
    answer = place.well(*arguments) if name in TELLS else None
    for number in range(1, calls + 1, every):
        place.restore(before)
        was_killed, _ = place.kill(number, arguments)
        kills += was_killed
        try:
            if arguments[0] == "hub":
                place.agrees(None)
            said = again(place, (*arguments, "--resume") if arguments[0] == "train" and "--resume" not in arguments else arguments)
            assert answer in (None, said), f"{said} where {answer} is said without the kill"
            if name in cached:
                place.agrees(cached[name])
            found = place.tree()
            for path in sorted(clean.keys() | found.keys()):
                assert clean.get(path) == found.get(path), f"{path}: {clean.get(path)} without, {found.get(path)} with the kill"
        except AssertionError as problem:
            wrong += 1
            print(f"{name}, kill before call {number}: {problem}", file=sys.stderr)
    print(f"| {name} | {calls} | {kills} | {wrong} |", flush=True)
    return kills, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="this command alone")
    parser.add_argument("--every", type=int, default=1, help="kill before each K-th call alone")
    parser.add_argument("--python", help="an interpreter with huggingface_hub")
    parser.add_argument("--built", type=pathlib.Path, help="where the program and the loopback Hub lie, if built already")
    arguments = parser.parse_args()
    built = arguments.built
    if not built:
        subprocess.run(["cargo", "build", "--locked", "--bin", "frostline", "--example", "loopback_hub"], cwd=ROOT, check=True)
        built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
    with tempfile.TemporaryDirectory(prefix="frostline-kills-") as folder:
        folder = pathlib.Path(folder)
        subprocess.run(["cc", "-O2", "-o", folder / "killer", ROOT / "tests/chaos/killer.c"], check=True)
        hub_program = next(p for p in (built / "examples/loopback_hub", built / "loopback_hub") if p.exists())
        hub = subprocess.Popen([hub_program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            place = Place(folder, built, folder / "killer", arguments.python)
            place.environment["HF_ENDPOINT"] = json.loads(hub.stdout.readline())["endpoint"]
            if not arguments.python:
                print("without --python nobody asks huggingface_hub", file=sys.stderr)
            kills, wrong = all_commands(place, arguments)
        finally:
            hub.stdin.close()
            hub.wait()
    print(f"{kills} kills, {wrong} left something behind or answered otherwise")
    sys.exit(wrong > 0)


def all_commands(place, arguments):
    states = {}

    def keep(name):
        states[name] = place.folder / f"before-{name}"
        shutil.copytree(place.work, states[name], symlinks=True)

    new = ("new", "--data", "photos", "--backbone", "mine/mobile", "--thaw", "conv_head", "--thaw", "bn2", "--epochs", "3",
           "--batch-size", "6", "--test-fraction", "0.2", "--out", "work/project")
    train = ("train", "work/project", "--threads", "1")
    (place.work / "home").mkdir(parents=True)
    keep("nothing")
    place.well(*new)
    keep("project")
    _, calls = place.kill(0, train)
    keep("trained")
    place.restore(states["project"])
    place.kill(calls * 2 // 3, train)
    keep("killed")
    place.restore(states["trained"])
    place.well("export", "work/project", "--out", "work/export")
    keep("exported")
    place.restore(states["nothing"])
    place.well("hub", "download", MODEL)
    keep("downloaded")
    weights = next((place.work / "hf/hub").glob("models--*/snapshots/*/model.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.resolve().write_bytes(data)
    keep("flipped")
    with zipfile.ZipFile(place.folder / "photos.zip", "w") as archive:
        for path in sorted((place.folder / "photos").rglob("*.png")):
            archive.write(path, path.relative_to(place.folder))
    commands = {
        "new": ("nothing", new),
        "train": ("project", train),
        "resume": ("killed", (*train, "--resume")),
        "export": ("trained", ("export", "work/project", "--out", "work/export")),
        "export with backbone": ("trained", ("export", "work/project", "--with-backbone", "--out", "work/export")),
        "evaluate": ("trained", ("eval", "work/project", "--split", "test", "--threads", "1")),
        "predict": ("exported", ("predict", "work/export", "photos", "--out", "work/answers.csv", "--threads", "1")),
        "download": ("nothing", ("hub", "download", MODEL)),
        "convert": ("nothing", ("hub", "download", PICKLED, "--allow-pickle")),
        "repair": ("flipped", ("hub", "verify", MODEL, "--repair")),
        "remove": ("downloaded", ("hub", "remove", MODEL)),
        "scan of an archive": ("nothing", ("scan", "photos.zip")),
    }
    kills = wrong = 0
    print("| command | calls | kills | wrong |\n| --- | --- | --- | --- |")
    for name, (before, words) in commands.items():
        if arguments.only in (None, name):
            more = chase(place, name, states[before], words, arguments.every)
            kills, wrong = kills + more[0], wrong + more[1]
    return kills, wrong


if __name__ == "__main__":
    main()
