"""scikit-learn's logistic regression on the samples of a Frostline run, split as the run split them.

    python baseline.py --project DIR [--run 0001] [--split validation|test] [--json]

Reads `recipe.toml` and `runs/<run>/split.json` of the project; the features are those of timm or
transformers. Prints accuracy and macro F1 of a model on the features and of one that knows no
backbone (16 x 16 pixels, or tf-idf).
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

from peers import (ASSETS, class_of, compare, format_scores, load_backbone, read_table, thumbnails)


def newest_run(project):
    """The last run that has a split."""
    runs = sorted(path.parent for path in (project / "runs").glob("*/split.json"))
    if not runs:
        sys.exit(f"{project / 'runs'}: no run with a split.json; train the project first")
    return runs[-1]


def samples_of(split, root, is_image, columns):
    """Contents (paths or texts), labels, and {part: sample numbers}."""
    tables, contents, labels, parts = {}, [], [], {}
    for part in ("train", "validation", "test"):
        parts[part] = []
        for item in split.get(part, []):
            path = root if root.is_file() else root / item["path"]
            if item.get("line") is not None:
                if path not in tables:
                    tables[path] = {row.line: row for row in read_table(path, *columns)}
                row = tables[path].get(item["line"])
                if row is None:
                    sys.exit(f"{path}: no record starts on line {item['line']}, which split.json names")
                content, label = row.text, row.label
            else:
                content = path if is_image else path.read_text(encoding="utf-8")
                label = class_of(item["path"])
            parts[part].append(len(contents))
            contents.append(content)
            labels.append(label)
    return contents, labels, parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--run", help="name of the run; the newest with a split.json by default")
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--text-column")
    parser.add_argument("--label-column")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    recipe = tomllib.loads((arguments.project / "recipe.toml").read_text())
    run = arguments.project / "runs" / arguments.run if arguments.run else newest_run(arguments.project)
    split = json.loads((run / "split.json").read_text())
    data = recipe["data"]
    root = (arguments.project / data["path"]).resolve()
    columns = (arguments.text_column or data.get("text_column") or "text",
               arguments.label_column or data.get("label_column") or "label")

    backbone, is_image = load_backbone(arguments.assets / recipe["backbone"]["id"])
    contents, labels, parts = samples_of(split, root, is_image, columns)
    if not parts[arguments.split]:
        sys.exit(f"{run / 'split.json'}: no samples in {arguments.split!r}")
    features = backbone.features(contents).numpy()
    plain = thumbnails(contents) if is_image else contents
    results = compare(features, plain, labels, parts["train"], parts[arguments.split], is_image)

    if arguments.json:
        print(json.dumps({"run": run.name, "split": arguments.split, "results": results}))
        return
    print(f"{run.name}: {len(parts['train'])} training samples, "
          f"{len(parts[arguments.split])} {arguments.split} samples, {len(set(labels))} classes")
    for method, scores in results.items():
        print(f"{method:28} {format_scores(scores)}")


if __name__ == "__main__":
    main()
