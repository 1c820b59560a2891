"""Trains a head on MobileNetV2 as one writes it with PyTorch and timm; a peer of the end-to-end bench.

    python plain_images.py DATA [--by-hand] [--train-mode] [--layout nchw|channels_last] [--epochs 5] [--threads 2]
        [--workers 2]

DATA has a folder for each class. Every epoch decodes every picture and runs the frozen network on it; --by-hand does
that once and trains the head on the kept features. The frozen network is in inference mode; --train-mode leaves it
in train mode, as scripts often do. Prints one line of JSON.
"""

import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
from pathlib import Path  # noqa: E402

import timm  # noqa: E402
import torch  # noqa: E402
from measure import BACKBONES  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from timm.data import create_transform  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split  # noqa: E402

BATCH, LEARNING_RATE, WEIGHT_DECAY = 16, 2e-3, 0.01


class Pictures(Dataset):
    def __init__(self, root, transform):
        self.classes = sorted(path.name for path in root.iterdir())
        self.items = [(path, label) for label, name in enumerate(self.classes)
                      for path in sorted((root / name).iterdir())]
        self.transform = transform

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        path, label = self.items[number]
        return self.transform(Image.open(path).convert("RGB")), label


def load_network(layout):
    folder = BACKBONES / "mobilenetv2_100"
    config = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    net = timm.create_model("mobilenetv2_100")
    net.load_state_dict({n: t.float() for n, t in load_file(folder / "model.safetensors").items()}, strict=False)
    net.reset_classifier(0)
    net.requires_grad_(False)
    transform = create_transform(
        input_size=tuple(config["input_size"]), crop_pct=config["crop_pct"], interpolation=config["interpolation"],
        mean=tuple(config["mean"]), std=tuple(config["std"]), is_training=False)
    return net.to(memory_format=layout), transform


def features(net, loader, layout):
    """Features and labels of everything that `loader` gives."""
    with torch.inference_mode():
        rows = [(net(images.contiguous(memory_format=layout)), labels) for images, labels in loader]
    return TensorDataset(torch.cat([r[0] for r in rows]).clone(), torch.cat([r[1] for r in rows]))


def train(epochs, training, validation, forward, head):
    """The validation accuracy of each epoch."""
    optimiser = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(training))
    accuracies = []
    for _ in range(epochs):
        head.train()
        for images, labels in training:
            optimiser.zero_grad()
            loss = F.cross_entropy(head(forward(images)), labels)
            loss.backward()
            optimiser.step()
            schedule.step()
        head.eval()
        with torch.inference_mode():
            right = sum((head(forward(images)).argmax(1) == labels).sum().item() for images, labels in validation)
        accuracies.append(right / len(validation.dataset))
    return accuracies


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--by-hand", action="store_true")
    parser.add_argument("--train-mode", action="store_true")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="processes that decode")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    layout = torch.channels_last if arguments.layout == "channels_last" else torch.contiguous_format
    net, transform = load_network(layout)
    net.train(arguments.train_mode)
    pictures = Pictures(arguments.data, transform)
    training, validation = random_split(pictures, [0.8, 0.2])
    start = time.perf_counter() - BEGAN
    head = nn.Linear(net.num_features, len(pictures.classes))

    def forward(images):
        with torch.no_grad():
            return net(images.contiguous(memory_format=layout))

    def load(dataset, shuffle=False):
        workers = arguments.workers
        return DataLoader(dataset, BATCH, shuffle=shuffle, num_workers=workers, persistent_workers=workers > 0)

    if arguments.by_hand:
        kept = [features(net, load(part), layout) for part in (training, validation)]
        loaders = DataLoader(kept[0], BATCH, shuffle=True), DataLoader(kept[1], 32)
        accuracies = train(arguments.epochs, *loaders, lambda rows: rows, head)
    else:
        accuracies = train(arguments.epochs, load(training, shuffle=True), load(validation), forward, head)
    print(json.dumps({"accuracy": max(accuracies), "start_seconds": start}))


if __name__ == "__main__":
    main()
