"""Cut a dataset into k folds on disk, and score scikit-learn's logistic regression on each.

    python kfold.py --data PATH --backbone ID --out DIR [--folds 5] [--seed 0] [--limit N]

PATH is a folder with one folder of pictures per class, or a table (CSV, TSV, JSON lines). DIR gets
`fold1` .. `foldK`, each a dataset of its own: `train/<class>/` and `val/<class>/` with hard links to
the pictures (copies where links are not possible), or `train.csv` and `val.csv` with the columns
`text` and `label`. Folds are stratified; exact duplicates lie on one side.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from peers import (ASSETS, IMAGE_SUFFIXES, TABLE_SUFFIXES, class_of, compare, format_scores,
                   load_backbone, open_image, read_table, thumbnails)


def image_samples(root):
    """Paths relative to `root` and their classes, sorted; unreadable files are named and left out."""
    paths = []
    for path in sorted(root.glob("*/**/*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith((".", "__MACOSX")) for part in relative.parts)
        if hidden or not path.is_file() or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        try:
            open_image(path)
        except Exception as error:
            print(f"{path}: left out, {error}", file=sys.stderr)
            continue
        paths.append(relative)
    return paths, [class_of(path) for path in paths]


def link(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_fold(folder, parts, contents, labels, root):
    """One dataset: `parts` is {"train": sample numbers, "val": sample numbers}."""
    for part, samples in parts.items():
        if root.is_dir():
            for i in samples:
                # The class folder is named anew, so that a split of the source does not show.
                inner = contents[i].parts[contents[i].parts.index(labels[i]) + 1:]
                link(root / contents[i], folder / part / labels[i] / Path(*inner))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{part}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["text", "label"])
            writer.writerows((contents[i], labels[i]) for i in samples)


def digests(contents, root):
    """One number for each distinct content."""
    def digest(content):
        data = (root / content).read_bytes() if root.is_dir() else content.encode()
        return hashlib.sha256(data).digest()

    return np.unique([digest(content).hex() for content in contents], return_inverse=True)[1]


def print_spread(folds):
    """Mean and sample standard deviation over the folds."""
    for method in folds[0]:
        line = f"{method:28}"
        for score, label in (("accuracy", "accuracy"), ("macro_f1", "macro F1")):
            values = [results[method][score] for results in folds]
            line += f" {label} {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f} "
        print(line.rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="use this many samples only, stratified")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    root = arguments.data
    if arguments.out.exists() and any(arguments.out.iterdir()):
        sys.exit(f"{arguments.out}: not empty; name a new folder")

    if root.is_file() and root.suffix.lower() in TABLE_SUFFIXES:
        rows = read_table(root, arguments.text_column, arguments.label_column)
        contents, labels = [row.text for row in rows], [row.label for row in rows]
    else:
        contents, labels = image_samples(root)
    if arguments.limit and arguments.limit < len(contents):
        kept, _ = train_test_split(range(len(contents)), train_size=arguments.limit,
                                   stratify=labels, random_state=arguments.seed)
        contents = [contents[i] for i in sorted(kept)]
        labels = [labels[i] for i in sorted(kept)]

    backbone, is_image = load_backbone(arguments.assets / arguments.backbone)
    if is_image != root.is_dir():
        sys.exit(f"{arguments.backbone} takes {'pictures' if is_image else 'texts'}; {root} does not hold them")
    inputs = [root / path for path in contents] if is_image else contents
    features = backbone.features(inputs).numpy()
    plain = thumbnails(inputs) if is_image else contents

    cutter = StratifiedGroupKFold(arguments.folds, shuffle=True, random_state=arguments.seed)
    folds = []
    for number, (train, evaluated) in enumerate(cutter.split(features, labels, digests(contents, root)), 1):
        write_fold(arguments.out / f"fold{number}", {"train": train, "val": evaluated}, contents, labels, root)
        folds.append(compare(features, plain, labels, train, evaluated, is_image, arguments.seed))
        for method, scores in folds[-1].items():
            if not arguments.json:
                print(f"fold {number}  {method:28} {format_scores(scores)}", flush=True)
    if arguments.json:
        print(json.dumps({"samples": len(contents), "folds": folds}))
    else:
        print_spread(folds)


if __name__ == "__main__":
    main()
