#!/usr/bin/env python3
"""Builds the two bundled samples: clip art in ten classes, and sentences with a sentiment.

    apt-get install openclipart-png        # version 1:0.18+dfsg-19
    npm pack sentiment@5.0.2
    pip install pillow numpy
    build_samples.py --clip-art /usr/share/openclipart/png --sentiment sentiment-5.0.2.tgz --out assets/samples

Nothing is left to chance: the same inputs and the same Pillow give the same bytes. `--check` builds
into a temporary folder and compares with `--out` instead of writing there.
"""

import argparse
import csv
import filecmp
import hashlib
import io
import json
import shutil
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

import numpy
from PIL import Image

# Some drawings of the package are larger than Pillow's default bound.
Image.MAX_IMAGE_PIXELS = 200_000_000

SEED = "frostline clip art 1"
PICTURES_PER_CLASS = 60
LONGEST_SIDE = 256
# A picture must have at least this many pixels on its longer side.
SMALLEST_LONGER_SIDE = 64
# The longer side of a picture over its shorter one.
LARGEST_ASPECT = 3.5
# A pixel with a channel below this is ink, not paper.
PAPER = 224
# Shares of the picture: ink, and the rectangle round all ink; below either it counts as near-empty.
SMALLEST_INK = 0.02
SMALLEST_DRAWING = 0.08
# Drawings that, cut to the rectangle round their ink and shrunk to 32x32, differ by less than this on
# average (of 255) are the same one.
SAME_DRAWING = 4.0
JPEG_QUALITY = 90

SOURCES = ("amazon", "imdb", "yelp")
LABELS = {0: "negative", 1: "positive"}
SENTENCES_SHA256 = "89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--clip-art", type=Path, default=Path("/usr/share/openclipart/png"))
    arguments.add_argument("--sentiment", type=Path, required=True, help="sentiment-5.0.2.tgz")
    arguments.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "samples")
    arguments.add_argument("--check", action="store_true", help="compare with --out, write nothing there")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        build_clip_art(options.clip_art, built)
        build_sentences(options.sentiment, built)
        if options.check:
            return compare(built, options.out)
        options.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(options.out / "clip-art", ignore_errors=True)
        shutil.copytree(built, options.out, dirs_exist_ok=True)
    return 0


def build_clip_art(tree, out):
    """Writes clip-art/<class>/<picture> and clip-art.sources.csv, and prints a table of the classes."""
    choice = tomllib.loads((Path(__file__).parent / "clip_art_choice.toml").read_text(encoding="utf-8"))
    origins, seen, total_bytes = [], [], 0
    for label, source in choice.items():
        skipped = {}
        pictures = []
        for path in in_seeded_order(candidates(tree, source)):
            if len(pictures) == PICTURES_PER_CLASS:
                break
            picture = on_white(tree / f"{path}.png")
            reason = unfit(picture, seen)
            if reason:
                skipped.setdefault(reason, []).append(path)
                continue
            pictures.append((path, picture))
        folder = out / "clip-art" / label
        folder.mkdir(parents=True)
        size = 0
        for path, picture in sorted(pictures):
            extension, content = encode(picture)
            name = f"{path.rsplit('/', 1)[1].strip('_.').lower()}.{extension}"
            if (folder / name).exists():
                sys.exit(f"two pictures of {label} are called {name}: rename or exclude one")
            (folder / name).write_bytes(content)
            origins.append((f"{label}/{name}", f"png/{path}.png"))
            size += len(content)
        total_bytes += size
        reasons = ", ".join(f"{len(paths)} {reason}" for reason, paths in skipped.items()) or "none"
        print(f"{label:10} {len(pictures):3} pictures {size / 1024:7.0f} KiB   skipped: {reasons}")
    print(f"{'together':10} {len(origins):3} pictures {total_bytes / 1024:7.0f} KiB")
    write_csv(out / "clip-art.sources.csv", ("file", "source"), origins)


def candidates(tree, source):
    """Paths without extension of all pictures that the choice names, each once."""
    excluded = {path for group in source.get("excluded", []) for path in group["pictures"]}
    found = {
        str(file.relative_to(tree).with_suffix(""))
        for folder in source["folders"]
        for file in (tree / folder).rglob("*.png")
    }
    missing = [path for path in excluded if path not in found]
    missing += [path for path in source["extra"] if not (tree / f"{path}.png").is_file()]
    if not found or missing:
        sys.exit(f"{tree} is not the expected package: {source['folders']} lacks {missing or 'pictures'}")
    return (found - excluded) | set(source["extra"])


def in_seeded_order(paths):
    return sorted(paths, key=lambda path: hashlib.sha256(f"{SEED}/{path}".encode()).digest())


def on_white(file):
    """The picture on white, longest side at most `LONGEST_SIDE` pixels."""
    with Image.open(file) as opened:
        drawing = opened.convert("RGBA")
    picture = Image.new("RGBA", drawing.size, "white")
    picture.alpha_composite(drawing)
    picture = picture.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return picture


def unfit(picture, seen):
    """Why the picture is left out, or None. A picture that is kept joins `seen`."""
    longer, shorter = max(picture.size), min(picture.size)
    if longer < SMALLEST_LONGER_SIDE:
        return "tiny"
    if longer > LARGEST_ASPECT * shorter:
        return "too long"
    ink = numpy.asarray(picture).min(axis=2) < PAPER
    rows, columns = numpy.flatnonzero(ink.any(axis=1)), numpy.flatnonzero(ink.any(axis=0))
    if ink.mean() < SMALLEST_INK:
        return "near-empty"
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    if (box[2] - box[0]) * (box[3] - box[1]) < SMALLEST_DRAWING * ink.size:
        return "near-empty"
    thumbnail = picture.crop(box).resize((32, 32), Image.Resampling.BOX)
    thumbnail = numpy.asarray(thumbnail).astype(numpy.int16)
    if any(numpy.abs(thumbnail - other).mean() < SAME_DRAWING for other in seen):
        return "seen before"
    seen.append(thumbnail)
    return None


def encode(picture):
    """Extension and bytes: a lossless palette where the colours fit one, else the smaller of PNG and JPEG."""
    if picture.getcolors(256):
        exact = picture.quantize(256, dither=Image.Dither.NONE)
        if numpy.array_equal(numpy.asarray(exact.convert("RGB")), numpy.asarray(picture)):
            return "png", encoded(exact, "PNG", optimize=True)
    png = encoded(picture, "PNG", optimize=True)
    jpeg = encoded(picture, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return ("png", png) if len(png) <= len(jpeg) else ("jpg", jpeg)


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def build_sentences(archive, out):
    """Writes sentences.csv from the fixtures in the npm tarball of sentiment 5.0.2."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SENTENCES_SHA256:
        sys.exit(f"{archive} is not sentiment-5.0.2.tgz: its sha256 is {digest}, not {SENTENCES_SHA256}")
    rows = []
    with tarfile.open(archive) as package:
        for source in SOURCES:
            entries = json.load(package.extractfile(f"package/test/fixtures/{source}.json"))
            # Each file ends in one row without text and class.
            rows += [(clean(e["text"]), LABELS[e["class"]], source) for e in entries if e["class"] is not None]
    write_csv(out / "sentences.csv", ("text", "label", "source"), rows)
    print(f"sentences  {len(rows)} rows")


def clean(text):
    """The text without white space at its ends, and with the Windows-1252 dashes and dots that the file
    holds as C1 control characters."""
    fixed = "".join(c.encode("latin-1").decode("cp1252") if "\x80" <= c <= "\x9f" else c for c in text)
    return fixed.strip()


def write_csv(file, header, rows):
    with open(file, "w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def compare(built, bundled):
    """0 when every built file lies in `bundled` byte for byte and `bundled` has no other picture."""
    names = {p.relative_to(built) for p in built.rglob("*") if p.is_file()}
    there = {p.relative_to(bundled) for p in (bundled / "clip-art").rglob("*") if p.is_file()}
    wrong = sorted(n for n in names if not (bundled / n).is_file() or not filecmp.cmp(built / n, bundled / n, False))
    wrong += sorted(there - names)
    for name in wrong:
        print(f"differs: {name}")
    print(f"{len(names)} files built, {len(wrong)} differ from {bundled}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
