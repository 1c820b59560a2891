"""Losses of twenty training steps of real-size networks, written to `curves.json`.

    python make_curves.py [--out FILE]

Everything is trained; normalisation uses its stored statistics and nothing is dropped. Each step has another batch.
Pictures, texts, heads and the weights of ResNet-18 come from formulas over counters that `tests/engine/curves.rs`
computes too, the other weights from `assets/backbones`, so that only the losses are stored. They are computed in
float64; how far PyTorch's own float32 lies from them is printed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from reference import ASSETS, ImageBackbone, TextBackbone
from torch import nn
from torch.nn import functional as F

STEPS, BATCH, SIDE, CLASSES = 20, 8, 64, 4
CELLS = 8
WEIGHT_DECAY = 0.01
# Learning rates of backbone and head. With its statistics fixed, a trained network of batch norms and ReLU6 amplifies
# rounding: at 1e-4 PyTorch's own float32 is 20 % away from float64 after 20 steps of MobileNetV2.
RATES = {"mobilenetv2_100": (2e-6, 2e-4), "tf_efficientnet_lite0": (5e-6, 5e-4), "resnet18": (5e-6, 5e-5),
         "all-MiniLM-L6-v2": (1e-4, 1e-4)}
LENGTHS = [32, 27, 21, 18, 14, 11, 9, 6]
VOCABULARY = 40
# Keys of the formulas.
IMAGE, PATTERN, LABEL, TOKEN, HEAD, WEIGHT = 1, 2, 3, 4, 5, 6


def mix(a, b):
    """`frostline::backbone::mix` over arrays of uint64."""
    a, b = np.asarray(a, dtype=np.uint64), np.asarray(b, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = a ^ ((b + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9))
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def noise(key, count):
    """float32 [count] in -1..1, exact."""
    bits = mix(key, np.arange(count, dtype=np.uint64)) >> np.uint64(40)
    return (bits.astype(np.float32) * np.float32(2.0 ** -23)) - np.float32(1)


def key_of(name):
    key = np.uint64(WEIGHT)
    for byte in name.encode():
        key = mix(key, byte)
    return key


def labels(step, classes):
    return (mix(mix(LABEL, step), np.arange(BATCH)) % np.uint64(classes)).astype(np.int64)


def images(step):
    """float32 [BATCH, 3, SIDE, SIDE]: squares in colours that tell the class, and noise."""
    cells = 3 * CELLS * CELLS
    y, x = np.mgrid[:SIDE, :SIDE] // (SIDE // CELLS)
    rows = []
    for n, label in enumerate(labels(step, CLASSES)):
        drawn = noise(mix(PATTERN, label), cells) + np.float32(0.5) * noise(mix(mix(IMAGE, step), n), cells)
        rows.append(drawn.reshape(3, CELLS, CELLS)[:, y, x])
    return torch.from_numpy(np.stack(rows))


def texts(step):
    """Ids of BATCH texts.

    Every batch uses all VOCABULARY ids and all positions: a row of an embedding that a batch does not use is decayed by
    PyTorch's dense optimiser and left alone by Frostline's.
    """
    lengths = LENGTHS[step % BATCH:] + LENGTHS[:step % BATCH]
    rows, at = [], 0
    for label, length in zip(labels(step, 2), lengths):
        row = []
        for _ in range(length):
            drawn = int(mix(mix(TOKEN, step), at) % np.uint64(VOCABULARY // 2)) + VOCABULARY // 2 * int(label)
            number = (at * 7 + step) % VOCABULARY if at < VOCABULARY else drawn
            row.append(2000 + 37 * number)
            at += 1
        rows.append(row)
    return rows


class Images(nn.Module):
    classes = CLASSES

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.head = nn.Linear(net.num_features, CLASSES)

    def forward(self, step):
        features = self.net.forward_features(images(step).to(self.head.weight.dtype))
        return self.head(features.mean((2, 3)))


class Texts(nn.Module):
    classes = 2

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.head = nn.Linear(net.config.hidden_size, 2)

    def forward(self, step):
        rows = texts(step)
        width = max(len(row) for row in rows)
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        hidden = self.net(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * weight).sum(1) / weight.sum(1))


@torch.no_grad()
def fill_from_formula(net):
    """Weights of spread 1.2 / sqrt(fan in), norms near the identity."""
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        values = noise(key_of(name), tensor.numel())
        if tensor.ndim > 1:
            values = values * np.float32(2.0) / np.sqrt(np.float32(tensor[0].numel()))
        elif name.endswith(("bias", "mean")):
            values = values * np.float32(0.1)
        else:
            values = np.float32(1) + values * np.float32(0.3)
        tensor.copy_(torch.from_numpy(values.reshape(tuple(tensor.shape))))


def losses(model, rates):
    """The loss before each of STEPS steps of AdamW."""
    model.eval()
    with torch.no_grad():
        weight = model.head.weight
        values = noise(mix(HEAD, 0), weight.numel()) * np.float32(0.05)
        weight.copy_(torch.from_numpy(values.reshape(tuple(weight.shape))))
        model.head.bias.zero_()
    groups = [{"params": [p for p in part.parameters() if (p.ndim > 1) == decays], "lr": rate,
               "weight_decay": WEIGHT_DECAY if decays else 0.0}
              for part, rate in zip((model.net, model.head), rates) for decays in (True, False)]
    optimiser = torch.optim.AdamW(groups)
    found = []
    for step in range(STEPS):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(step), torch.from_numpy(labels(step, model.classes)))
        found.append(loss.item())
        loss.backward()
        optimiser.step()
    return found


def network(name, dtype):
    if name == "all-MiniLM-L6-v2":
        return Texts(TextBackbone(ASSETS / name).net).to(dtype)
    if name == "resnet18":
        net = timm.create_model(name, num_classes=0)
        fill_from_formula(net)
        return Images(net).to(dtype)
    return Images(ImageBackbone(ASSETS / name).net).to(dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "curves.json")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    curves = {}
    for name, rates in RATES.items():
        exact, single = (losses(network(name, dtype), rates) for dtype in (torch.float64, torch.float32))
        off = max(abs(a - b) / a for a, b in zip(exact, single))
        print(f"{name}: {exact[0]:.4f} -> {exact[-1]:.4f}, float32 up to {off:.1e} away", flush=True)
        curves[name] = [float(f"{loss:.9g}") for loss in exact]
    versions = {"torch": torch.__version__.split("+")[0], "timm": timm.__version__,
                "transformers": transformers.__version__}
    out.write_text(json.dumps({"versions": versions, "losses": curves}, indent=1) + "\n")


if __name__ == "__main__":
    main()
