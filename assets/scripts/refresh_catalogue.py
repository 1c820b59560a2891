#!/usr/bin/env python3
"""Fills in and checks the facts of assets/catalogue.toml.

Image backbones: parameters (without classifier), input and licence from timm itself; the ImageNet score from timm's
results-imagenet.csv. Text backbones: licence and parameters from the Hub. What no source gives stays away.

    pip install timm huggingface_hub
    python assets/scripts/refresh_catalogue.py [--results results-imagenet.csv] [--hub]

Without --results the table is fetched from timm's repository; --hub also asks the Hub whether each repository is
there, and for licences and parameters. Without a network use --results with a copy and leave --hub away.
"""

import argparse
import csv
import io
import pathlib
import tomllib
import urllib.request

CATALOGUE = pathlib.Path(__file__).parent.parent / "catalogue.toml"
RESULTS = "https://raw.githubusercontent.com/huggingface/pytorch-image-models/main/results/results-imagenet.csv"
RESULTS_PAGE = "https://github.com/huggingface/pytorch-image-models/blob/main/results/results-imagenet.csv"
ORDER = ["id", "name", "kind", "architecture", "model_type", "parameters", "input", "licence", "languages", "score",
         "score_source", "source", "good_for"]


def of_timm(entry, results):
    """Facts of an image backbone from timm."""
    import timm

    name = entry["id"].removeprefix("timm/")
    config = timm.get_pretrained_cfg(name)
    model = timm.create_model(name, pretrained=False, num_classes=0)
    side = config.input_size[1]
    facts = {"parameters": sum(p.numel() for p in model.parameters()), "input": side}
    if config.license:
        facts["licence"] = config.license
    row = results.get((name, side))
    if row:
        facts["score"] = f"ImageNet-1k top-1 {float(row['top1']):.1f} % at {side} pixels"
        facts["score_source"] = RESULTS_PAGE
    return facts


def of_hub(entry):
    """Facts of any model from the Hub."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(entry["id"])
    facts = {}
    if info.card_data and isinstance(info.card_data.license, str):
        facts["licence"] = info.card_data.license
    if info.safetensors and entry["kind"] == "text":
        facts["parameters"] = info.safetensors.total
    return facts


def written(value):
    if isinstance(value, list):
        return "[" + ", ".join(written(v) for v in value) + "]"
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--hub", action="store_true")
    arguments = parser.parse_args()

    text = CATALOGUE.read_text()
    head = text[: text.index("[[backbone]]")]
    table = arguments.results.read_text() if arguments.results else urllib.request.urlopen(RESULTS).read().decode()
    results = {(row["model"], int(row["img_size"])): row for row in csv.DictReader(io.StringIO(table))}
    out = []
    for entry in tomllib.loads(text)["backbone"]:
        if entry["kind"] == "image":
            entry.update(of_timm(entry, results))
        if arguments.hub:
            entry.update(of_hub(entry))
        lines = [f"{key} = {written(entry[key])}" for key in ORDER if key in entry]
        out.append("[[backbone]]\n" + "\n".join(lines) + "\n")
        print(entry["id"], entry.get("parameters"), entry.get("licence"), entry.get("score"))
    CATALOGUE.write_text(head + "\n".join(out))


if __name__ == "__main__":
    main()
