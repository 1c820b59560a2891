"""Trains a text classifier on MiniLM as one writes it with PyTorch and transformers; a peer of the end-to-end bench.

    python plain_texts.py TABLE [--thaw 2] [--by-hand] [--train-mode] [--epochs 5] [--threads 2]

TABLE is a CSV with the columns text and label. Batches are padded to their longest text. --thaw trains that many of
the highest layers besides the head, with the dropout that the model ships. --by-hand runs the frozen network once and
trains the head on the kept features. Frozen layers are in inference mode; --train-mode leaves them in train mode,
as scripts often do. Prints one line of JSON.
"""

import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import csv  # noqa: E402
import json  # noqa: E402
from contextlib import nullcontext  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from measure import BACKBONES  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset, random_split  # noqa: E402
from transformers import AutoTokenizer, BertConfig, BertModel  # noqa: E402

BATCH, MAX_TOKENS, WEIGHT_DECAY = 16, 256, 0.01
FOLDER = BACKBONES / "all-MiniLM-L6-v2"


def load_network(thawed):
    """The network and its thawed layers."""
    net = BertModel(BertConfig.from_pretrained(str(FOLDER)), add_pooling_layer=False)
    weights = load_file(FOLDER / "model.safetensors")
    net.load_state_dict({n: t.float() for n, t in weights.items() if not n.startswith("pooler.")}, strict=False)
    net.requires_grad_(False)
    layers = net.encoder.layer[len(net.encoder.layer) - thawed:]
    return net, layers.requires_grad_(True)


def pooled(net, batch):
    hidden = net(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def features(net, loader):
    """Features and labels of everything that `loader` gives."""
    with torch.inference_mode():
        rows = [(pooled(net, batch), labels) for batch, labels in loader]
    return TensorDataset(torch.cat([r[0] for r in rows]).clone(), torch.cat([r[1] for r in rows]))


def train(epochs, training, validation, forward, groups, set_mode):
    """The validation accuracy of each epoch."""
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * len(training))
    accuracies = []
    for _ in range(epochs):
        set_mode(True)
        for batch, labels in training:
            optimiser.zero_grad()
            loss = F.cross_entropy(forward(batch), labels)
            loss.backward()
            optimiser.step()
            schedule.step()
        set_mode(False)
        with torch.inference_mode():
            right = sum((forward(batch).argmax(1) == labels).sum().item() for batch, labels in validation)
        accuracies.append(right / len(validation.dataset))
    return accuracies


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    return [(row["text"], names.index(row["label"])) for row in rows], len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--thaw", type=int, default=0)
    parser.add_argument("--by-hand", action="store_true")
    parser.add_argument("--train-mode", action="store_true")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    net, layers = load_network(arguments.thaw)
    tokenizer = AutoTokenizer.from_pretrained(str(FOLDER))
    samples, classes = read(arguments.table)
    training, validation = random_split(samples, [0.8, 0.2])
    start = time.perf_counter() - BEGAN
    head = nn.Linear(net.config.hidden_size, classes)

    def collate(rows):
        texts, labels = zip(*rows)
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        return batch, torch.tensor(labels)

    def set_mode(training):
        net.train(training and arguments.train_mode)
        layers.train(training)
        head.train(training)

    def forward(batch):
        with torch.no_grad() if arguments.thaw == 0 else nullcontext():
            rows = pooled(net, batch)
        return head(rows)

    if arguments.by_hand:
        net.eval()
        # By length, which keeps the padding small.
        ordered = [sorted(part, key=lambda sample: len(sample[0])) for part in (training, validation)]
        kept = [features(net, DataLoader(part, BATCH, collate_fn=collate)) for part in ordered]
        loaders = DataLoader(kept[0], BATCH, shuffle=True), DataLoader(kept[1], 32)
        groups = [{"params": head.parameters(), "lr": 2e-3}]
        accuracies = train(arguments.epochs, *loaders, head, groups, head.train)
    else:
        loaders = (DataLoader(training, BATCH, shuffle=True, collate_fn=collate),
                   DataLoader(validation, BATCH, collate_fn=collate))
        rates = (2e-3, 0.0) if arguments.thaw == 0 else (1e-3, 5e-5)
        groups = [{"params": head.parameters(), "lr": rates[0]}]
        if arguments.thaw:
            groups.append({"params": layers.parameters(), "lr": rates[1]})
        accuracies = train(arguments.epochs, *loaders, forward, groups, set_mode)
    print(json.dumps({"accuracy": max(accuracies), "start_seconds": start}))


if __name__ == "__main__":
    main()
