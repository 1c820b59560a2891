"""What the comparison scripts share: samples from disk, features, and the scikit-learn models."""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "goldens"))
from reference import ASSETS, ImageBackbone, TextBackbone, open_image  # noqa: E402

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
TABLE_SUFFIXES = {".csv", ".tsv", ".jsonl", ".ndjson"}
PART_FOLDERS = {"train", "val", "valid", "validation", "test"}


@dataclass(frozen=True)
class Row:
    """One record of a table; `line` is the line on which it starts, from 1."""

    line: int
    text: str
    label: str


def read_table(path, text_column, label_column):
    """Rows of a CSV, TSV (both with a header) or JSON-lines file; blank texts and labels left out."""
    path = Path(path)
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        records = [(n, json.loads(line)) for n, line in enumerate(lines, 1) if line.strip()]
    else:
        records = list(_delimited(path))
    rows = []
    for line, record in records:
        text, label = record.get(text_column), record.get(label_column)
        if text is not None and label is not None and str(text).strip() and str(label).strip():
            rows.append(Row(line, str(text), str(label).strip()))
    if not rows:
        sys.exit(f"{path}: no row has both {text_column!r} and {label_column!r}; "
                 f"name the columns with --text-column and --label-column")
    return rows


def _delimited(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        header = next(reader, [])
        start = reader.line_num + 1
        for fields in reader:
            if fields:
                yield start, dict(zip(header, fields))
            start = reader.line_num + 1


def class_of(relative_path):
    """The class folder of a file, below a train/val/test folder where there is one."""
    parts = Path(relative_path).parts
    return parts[1] if parts[0].lower() in PART_FOLDERS and len(parts) > 2 else parts[0]


def load_backbone(folder):
    """The reference backbone of a folder and whether it takes images."""
    config = json.loads((Path(folder) / "config.json").read_text())
    is_image = "pretrained_cfg" in config
    return (ImageBackbone if is_image else TextBackbone)(folder), is_image


def thumbnails(paths):
    """float [files, 768]: each picture shrunk to 16 x 16 RGB."""
    rows = []
    for path in paths:
        small = open_image(path).resize((16, 16), Image.Resampling.BILINEAR)
        rows.append(np.asarray(small, dtype=np.float64).ravel() / 255)
    return np.stack(rows)


def _chosen(steps, penalties, labels, seed):
    """Logistic regression whose C is chosen by cross-validation inside the training samples."""
    smallest = min(np.unique(labels, return_counts=True)[1])
    folds = StratifiedKFold(max(2, min(3, smallest)), shuffle=True, random_state=seed)
    pipeline = make_pipeline(*steps, LogisticRegression(max_iter=300, tol=1e-3))
    return GridSearchCV(pipeline, {"logisticregression__C": penalties}, cv=folds, scoring="accuracy")


def _score(model, train, evaluated):
    model.fit(*train)
    truth, answer = evaluated[1], model.predict(evaluated[0])
    scores = {"accuracy": accuracy_score(truth, answer),
              "macro_f1": f1_score(truth, answer, average="macro", zero_division=0)}
    if isinstance(model, GridSearchCV):
        scores["C"] = model.best_params_["logisticregression__C"]
    return scores


def compare(features, plain, labels, train, evaluated, is_image, seed=0):
    """{method: scores} of models fitted on samples `train` and scored on samples `evaluated`.

    `features` [samples, width] come from the backbone; `plain` are thumbnails [samples, 768] or,
    for texts, the strings themselves.
    """
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    plain = np.asarray(plain, dtype=None if is_image else object)

    def pair(values, samples):
        return values[samples], labels[samples]

    def run(model, values):
        return _score(model, pair(values, train), pair(values, evaluated))

    penalties = [0.001, 0.01, 0.1]
    results = {
        "features, scaled, C chosen": run(_chosen([StandardScaler()], penalties, labels[train], seed), features),
        "features, unscaled, C = 1": run(LogisticRegression(C=1, max_iter=300, tol=1e-3), features),
    }
    if is_image:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=300, tol=1e-3))
        results["16 x 16 pixels"] = run(model, plain)
    else:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        results["tf-idf"] = run(_chosen([words], [1, 10], labels[train], seed), plain)
    return results


def format_scores(scores):
    chosen = f"  C {scores['C']:g}" if "C" in scores else ""
    return f"accuracy {scores['accuracy']:.4f}  macro F1 {scores['macro_f1']:.4f}{chosen}"


__all__ = ["ASSETS", "IMAGE_SUFFIXES", "TABLE_SUFFIXES", "class_of", "compare", "format_scores",
           "load_backbone", "open_image", "read_table", "thumbnails"]
