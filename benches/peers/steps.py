"""Times one job of the step bench in PyTorch and prints it as one line of JSON; the peer of `benches/steps.rs`.

    python steps.py JOB [--steps N] [--threads N] [--lean] [--layout nchw|channels_last]
                        [--device cpu|cuda] [--compile] [--tf32]

A JOB is NETWORK-WORK, with `-dropout` behind it where 0.1 is dropped. The reference configuration keeps every layer
in train mode; --lean puts frozen layers into inference mode and runs them without recording. Networks have random
weights; convolutional ones normalise with fixed statistics, as Frostline does. On a GPU products are computed in full f32,
as Frostline does, unless --tf32 lets PyTorch round what it multiplies to 10 bits.
"""

import argparse
import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import timm
import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

BATCH, TOKENS, CLASSES, WARM_UP = 16, 128, 10, 2
CNNS = {"lite0": "tf_efficientnet_lite0", "mobilenetv2": "mobilenetv2_100", "resnet18": "resnet18",
        "resnet50": "resnet50"}


class Texts:
    """MiniLM's shape: 6 layers of width 384."""

    def __init__(self, work, dropout, lean, device):
        config = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
                            hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
                            attn_implementation="sdpa")
        self.net = BertModel(config, add_pooling_layer=False).train()
        self.work, self.lean = work, lean
        self.layers = self.net.encoder.layer
        self.top = nn.ModuleList(self.layers[-2:]) if work.startswith("last2") else self.net
        if work.startswith("last2"):
            self.net.requires_grad_(False)
            self.top.requires_grad_(True)
            if lean:
                self.net.eval()
                self.top.train()
        if work == "forward":
            self.net.eval().requires_grad_(False)
        self.net.to(device)
        self.ids = torch.randint(0, 30000, (BATCH, TOKENS), device=device)
        self.mask = torch.ones(BATCH, TOKENS, dtype=torch.long, device=device)
        self.features = 384
        self.cached = self.below().detach() if work == "last2cached" else None

    def below(self):
        hidden = self.net.embeddings(input_ids=self.ids)
        for layer in self.layers[:-2]:
            hidden = first(layer(hidden))
        return hidden

    def __call__(self):
        if self.work.startswith("last2"):
            hidden = self.cached
            if hidden is None:
                with torch.no_grad() if self.lean else nullcontext():
                    hidden = self.below()
            for layer in self.layers[-2:]:
                hidden = first(layer(hidden))
        else:
            hidden = self.net(input_ids=self.ids, attention_mask=self.mask).last_hidden_state
        return hidden.mean(1)


def first(output):
    return output[0] if isinstance(output, tuple) else output


class Images:
    """A timm network without its classifier."""

    def __init__(self, name, work, layout, device):
        self.net = timm.create_model(CNNS[name], num_classes=0).to(device)
        self.net.eval()  # batch norms keep their statistics; these networks have no dropout below the head
        self.features = self.net.num_features
        self.images = torch.randn(BATCH, 3, 224, 224, device=device)
        if layout == "channels_last":
            self.net = self.net.to(memory_format=torch.channels_last)
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        if work == "forward":
            self.net.requires_grad_(False)

    def __call__(self):
        return self.net(self.images)


class Peak(threading.Thread):
    """The highest anonymous memory of this process, looked at every few milliseconds."""

    def __init__(self):
        super().__init__(daemon=True)
        self.mb = 0.0

    def run(self):
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(float(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:"))
            self.mb = max(self.mb, now)
            time.sleep(0.005)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lean", action="store_true")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tf32", action="store_true")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    name = arguments.job.removesuffix("-dropout")
    dropout = 0.0 if name == arguments.job else 0.1
    network, work = name.split("-")
    if network == "minilm":
        model = Texts(work, dropout, arguments.lean, arguments.device)
    else:
        model = Images(network, work, arguments.layout, arguments.device)
    head = nn.Linear(model.features, CLASSES).to(arguments.device)
    labels = torch.arange(BATCH, device=arguments.device) % CLASSES
    trained = [p for p in [*model.net.parameters(), *head.parameters()] if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5, fused=True)

    if arguments.compile:
        model.net = torch.compile(model.net)

    def step():
        if work == "forward":
            with torch.inference_mode():
                return model()[0, 0].item()
        optimiser.zero_grad()
        loss = F.cross_entropy(head(model()), labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    peak = Peak()
    peak.start()
    times = []
    for _ in range(WARM_UP + arguments.steps):
        began = time.perf_counter()
        step()
        times.append((time.perf_counter() - began) * 1e3)
    print(json.dumps({"job": arguments.job, "ms": times[WARM_UP:], "anonymous_mb": peak.mb}))


if __name__ == "__main__":
    main()
