"""Seeded data for the benches: pictures like photos, small pictures, and texts of natural lengths."""

import csv
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from measure import REPOSITORY
from PIL import Image

CLASSES = ["amber", "basalt", "cedar", "delta"]
TINTS = np.array([[1.15, 1.0, 0.8], [0.95, 0.97, 1.08], [0.85, 1.1, 0.9], [0.9, 1.0, 1.2]])


def picture(size, seed, label):
    """uint8 [height, width, 3]: smooth noise of several scales, grain, and a texture and a tint of the class."""
    width, height = size
    rng = np.random.default_rng(seed)
    light = np.zeros((height, width))
    for cells, strength in [(3, 50), (9, 30), (30, 18), (90, 12)]:
        grid = Image.fromarray(rng.normal(0, strength, (cells * 3 // 4 + 1, cells + 1)).astype(np.float32))
        light += np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    y, x = np.mgrid[:height, :width]
    angle = label * 0.8 + rng.normal(0, 0.25)
    light += 14 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * (0.25 + 0.1 * label) + rng.uniform(0, 6))
    tint = 1 + (TINTS[label] - 1) * rng.normal(1, 0.6)
    colour = (rng.uniform(90, 150) + light)[:, :, None] * tint + rng.normal(0, 5, (height, width, 3))
    return np.clip(colour, 0, 255).astype(np.uint8)


def save_picture(root, size, quality, number):
    label = number % len(CLASSES)
    path = root / CLASSES[label] / f"{number:05}.jpg"
    Image.fromarray(picture(size, number, label)).save(path, quality=quality)
    return path.stat().st_size


def write_pictures(root, count, size, quality):
    """`count` JPEG files below `root`, a folder for each class; the mean size of a file in KB."""
    for name in CLASSES:
        (root / name).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        sizes = list(pool.map(partial(save_picture, root, size, quality), range(count), chunksize=50))
    return sum(sizes) / count / 1024


def write_texts(path, count):
    """A table of `count` different texts of two classes: one to sixteen of the bundled sentences of a class, joined."""
    with open(REPOSITORY / "assets" / "samples" / "sentences.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = random.Random(0)
    sentences = {label: [row["text"].strip() for row in rows if row["label"] == label]
                 for label in ("negative", "positive")}
    texts = {}
    while len(texts) < count:
        label = ("negative", "positive")[len(texts) % 2]
        length = min(16, max(1, round(rng.lognormvariate(1.2, 0.7))))
        texts[" ".join(rng.sample(sentences[label], length))] = label
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(texts.items())
