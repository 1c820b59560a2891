"""Features by timm and transformers: what the goldens and the comparison scripts call the reference.

An image is opened by Pillow, turned as its EXIF orientation says, laid on white where it is
transparent, made RGB, and goes through timm's evaluation transform; the feature is the global
average of `forward_features`. A text goes through BERT with at most 256 tokens; the feature is the
mean over its real tokens, not normalised. Weights are stored in half precision and widened.
"""

import json
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from timm.data import create_transform
from transformers import AutoTokenizer, BertConfig, BertModel

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "backbones"
MAX_TOKENS = 256


def open_image(path):
    """The image file as 8-bit RGB."""
    with Image.open(path) as image:
        image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        # The high byte. Pillow's own conversion would clip everything above 255.
        image = Image.fromarray((np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


class ImageBackbone:
    """A timm network in inference mode and the transform that its config.json describes."""

    def __init__(self, folder, dtype=torch.float32):
        config = json.loads((Path(folder) / "config.json").read_text())
        self.net = timm.create_model(config["architecture"], num_classes=config["num_classes"])
        weights = {n: t.float() for n, t in load_file(Path(folder) / "model.safetensors").items()}
        missing, unexpected = self.net.load_state_dict(weights, strict=False)
        # The counter of training batches is not stored; inference does not read it.
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise SystemExit(f"{folder}: tensors missing {missing}, unexpected {unexpected}")
        self.net.eval().to(dtype)
        self.dtype = dtype
        preprocessing = config["pretrained_cfg"]
        self.transform = create_transform(
            input_size=tuple(preprocessing["input_size"]),
            crop_pct=preprocessing["crop_pct"],
            interpolation=preprocessing["interpolation"],
            mean=tuple(preprocessing["mean"]),
            std=tuple(preprocessing["std"]),
            is_training=False,
        )

    @torch.no_grad()
    def features(self, paths, batch_size=16):
        """float32 [files, channels]."""
        rows = []
        for start in range(0, len(paths), batch_size):
            batch = [self.transform(open_image(path)) for path in paths[start:start + batch_size]]
            maps = self.net.forward_features(torch.stack(batch).to(self.dtype))
            rows.append(maps.mean((2, 3)).float())
        return torch.cat(rows)

    @torch.no_grad()
    def means_after_blocks(self, path):
        """{path of the layer: spatial mean [channels]} after the stem and after every block."""
        means, hooks = {}, []
        for name, module in self.net.named_modules():
            if name == "bn1" or hasattr(module, "conv_dw"):
                hooks.append(module.register_forward_hook(
                    lambda _module, _inputs, output, name=name:
                        means.__setitem__(name, output.mean((2, 3))[0].float())))
        self.features([path])
        for hook in hooks:
            hook.remove()
        return means


class TextBackbone:
    """BERT in inference mode and its tokenizer."""

    def __init__(self, folder, dtype=torch.float32):
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        config = BertConfig.from_pretrained(str(folder), attn_implementation="eager")
        self.net = BertModel(config, add_pooling_layer=False)
        weights = {n: t.float() for n, t in load_file(Path(folder) / "model.safetensors").items()
                   if not n.startswith("pooler.")}
        missing, unexpected = self.net.load_state_dict(weights, strict=False)
        missing = [name for name in missing if not name.endswith(("position_ids", "token_type_ids"))]
        if missing or unexpected:
            raise SystemExit(f"{folder}: tensors missing {missing}, unexpected {unexpected}")
        self.net.eval().to(dtype)

    def tokens(self, text):
        """Token ids, the two special ones included, cut at 256; no padding."""
        return self.tokenizer(text, truncation=True, max_length=MAX_TOKENS, padding=False)["input_ids"]

    @torch.no_grad()
    def features(self, texts, batch_size=32):
        """float32 [texts, width]; batches of similar length, which changes nothing but the time."""
        ids = [self.tokens(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        rows = [None] * len(ids)
        for start in range(0, len(order), batch_size):
            chosen = order[start:start + batch_size]
            width = max(len(ids[i]) for i in chosen)
            batch = torch.tensor([ids[i] + [0] * (width - len(ids[i])) for i in chosen])
            mask = torch.tensor([[1] * len(ids[i]) + [0] * (width - len(ids[i])) for i in chosen])
            hidden = self.net(input_ids=batch, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = ((hidden * weight).sum(1) / weight.sum(1)).float()
            for row, i in zip(pooled, chosen):
                rows[i] = row
        return torch.stack(rows)

    @torch.no_grad()
    def means_after_layers(self, text):
        """{path of the layer: mean over tokens [width]} after embeddings and every layer."""
        ids = torch.tensor([self.tokens(text)])
        states = self.net(input_ids=ids, attention_mask=torch.ones_like(ids),
                          output_hidden_states=True).hidden_states
        names = ["embeddings"] + [f"encoder.layer.{i}" for i in range(len(states) - 1)]
        return {name: state[0].mean(0).float() for name, state in zip(names, states)}
