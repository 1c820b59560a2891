"""Reference gradients and optimiser steps of small networks, written to `gradients/`.

    python make_gradients.py [--out DIR]

Weights and inputs are drawn in float32 from a fixed seed; everything computed from them (loss,
gradients, optimiser steps) is computed in float64 and stored as float32, so that the files hold the
correctly rounded answer and do not depend on the machine. How far PyTorch's own float32 lies from
it stands in the metadata (`float32_deviation`). README.md beside this file gives the format.
"""

import argparse
import copy
import json
from functools import partial
from pathlib import Path

import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet, _gen_efficientnet
from timm.models.mobilenetv3 import _gen_mobilenet_v3
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

# (kind, kernel, stride of the first block, expansion, channels, repeats) before the multipliers,
# as timm 1.0 has them for MobileNetV2 and EfficientNet-Lite.
MOBILENETV2 = [
    ("ds", 3, 1, 1, 16, 1), ("ir", 3, 2, 6, 24, 2), ("ir", 3, 2, 6, 32, 3), ("ir", 3, 2, 6, 64, 4),
    ("ir", 3, 1, 6, 96, 3), ("ir", 3, 2, 6, 160, 3), ("ir", 3, 1, 6, 320, 1),
]
EFFICIENTNET_LITE = [
    ("ds", 3, 1, 1, 16, 1), ("ir", 3, 2, 6, 24, 2), ("ir", 5, 2, 6, 40, 2), ("ir", 3, 2, 6, 80, 3),
    ("ir", 5, 1, 6, 112, 3), ("ir", 5, 2, 6, 192, 4), ("ir", 3, 1, 6, 320, 1),
]
LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY = 1e-3, (0.9, 0.999), 1e-8, 0.05


class Classifier(nn.Module):
    """A backbone that answers with pooled features [batch, features], and a linear head."""

    def __init__(self, backbone, features, classes):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(features, classes)

    def forward(self, inputs):
        features = self.backbone(inputs)
        return features, self.head(features)


class PooledBert(nn.Module):
    """BERT, averaged over the real tokens (mask 1) of each sequence."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, inputs):
        mask = inputs["mask"].long()
        hidden = self.bert(input_ids=inputs["ids"].long(), attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)


def small_cnn(stages, channels, depth, fix_first_last, fix_stem, pad_type, bn_eps, head_channels):
    """timm's EfficientNet with scaled stages and a narrow last convolution, without classifier."""
    text = [[f"{kind}_r{r}_k{k}_s{s}" + (f"_e{e}" if kind == "ir" else "") + f"_c{c}"]
            for kind, k, s, e, c, r in stages]
    return EfficientNet(
        block_args=decode_arch_def(text, depth, fix_first_last=fix_first_last),
        num_classes=0,
        num_features=head_channels,
        stem_size=32,
        fix_stem=fix_stem,
        pad_type=pad_type,
        round_chs_fn=partial(round_channels, multiplier=channels),
        act_layer=nn.ReLU6,
        norm_layer=partial(nn.BatchNorm2d, eps=bn_eps),
    )


def small_efficientnet(**arguments):
    """timm's EfficientNet-B0 at a tenth of its width and a third of its depth."""
    return _gen_efficientnet(
        "efficientnet_b0", channel_multiplier=0.1, depth_multiplier=0.34, num_classes=0, **arguments)


def small_mobilenet_v3(variant, head_channels, **arguments):
    """timm's MobileNetV3 at a tenth of its width, with fewer features."""
    net = _gen_mobilenet_v3(variant, channel_multiplier=0.1, num_classes=0, **arguments)
    net.conv_head = nn.Conv2d(net.conv_head.in_channels, head_channels, 1)
    net.head_hidden_size = head_channels
    return net


def describe_cnn(net):
    """What was really built, read from the modules."""
    blocks = {}
    for path, block in net.named_modules():
        if not hasattr(block, "conv_dw"):
            continue
        project = block.conv_pwl if hasattr(block, "conv_pwl") else block.conv_pw
        expand = block.conv_pw if hasattr(block, "conv_pwl") else block.conv_dw
        blocks[path] = {
            "kind": "ir" if hasattr(block, "conv_pwl") else "ds",
            "in": expand.in_channels,
            "middle": block.conv_dw.in_channels,
            "out": project.out_channels,
            "kernel": block.conv_dw.kernel_size[0],
            "stride": block.conv_dw.stride[0],
            "skip": block.has_skip,
        }
        if hasattr(block.se, "gate"):
            blocks[path]["squeeze"] = {
                "channels": block.se.conv_reduce.out_channels,
                "activation": type(block.se.act1).__name__.lower(),
                "gate": type(block.se.gate).__name__.lower(),
            }
    return {
        "stem": net.conv_stem.out_channels,
        "blocks": blocks,
        "head_channels": net.head_hidden_size,
        "batchnorm_eps": net.bn1.eps,
        "padding": "same" if type(net.conv_stem).__name__ == "Conv2dSame" else "symmetric",
        "activation": type(net.bn1.act).__name__.lower(),
    }


@torch.no_grad()
def randomise(model, generator, gain):
    """Weights and norm statistics that are nowhere trivial.

    `gain` scales the convolutions: too small and the lowest layers get no gradient that a test could
    see and nothing reaches the 6 of ReLU6; too large and 20 steps amplify rounding.
    """

    def normal(tensor, mean, std):
        tensor.copy_(mean + std * torch.randn(tensor.shape, generator=generator))

    def uniform(tensor, low, high):
        tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))

    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            uniform(module.weight, 0.5, 1.5)
            normal(module.bias, 0.0, 0.1)
            if isinstance(module, nn.BatchNorm2d):
                normal(module.running_mean, 0.0, 0.1)
                uniform(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            normal(module.weight, 0.0, gain * fan_in ** -0.5)
            if module.bias is not None:
                normal(module.bias, 0.0, 0.1)
        elif isinstance(module, nn.Linear):
            normal(module.weight, 0.0, 1.5 * module.in_features ** -0.5)
            normal(module.bias, 0.0, 0.1)
        elif isinstance(module, nn.Embedding):
            normal(module.weight, 0.0, 0.5)


def name_on_disk(name):
    """`backbone.` and `backbone.bert.` are containers of this script, not part of the names."""
    return name.removeprefix("backbone.").removeprefix("bert.")


def gradients(model, inputs, labels):
    """features [batch, features], logits [batch, classes], mean cross-entropy, gradient by name."""
    model.zero_grad()
    features, logits = model(inputs)
    loss = F.cross_entropy(logits, labels.long())
    loss.backward()
    return features.detach(), logits.detach(), loss.item(), {
        name_on_disk(n): p.grad.detach().clone() for n, p in model.named_parameters()
    }


def optimise(model, inputs, labels, steps, kept, kept_after):
    """Losses before each of `steps` AdamW steps on one batch; the `kept` tensors after `kept_after`."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=LEARNING_RATE, betas=BETAS, eps=EPSILON,
    )
    losses, after = [], {}
    for step in range(steps):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(inputs)[1], labels.long())
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        if step + 1 == kept_after:
            parameters = {name_on_disk(n): p for n, p in model.named_parameters()}
            after = {name: parameters[name].detach().clone() for name in kept}
    return losses, after


def to_double(inputs):
    if isinstance(inputs, dict):
        return inputs
    return inputs.double()


def deviation(reference, other):
    """Largest norm of a difference, in units of the reference's norm plus 1e-3 of the global norm."""
    total = torch.stack([g.norm() for g in reference.values()]).norm()
    return max(
        ((other[n].double() - g).norm() / (g.norm() + 1e-3 * total)).item()
        for n, g in reference.items()
    )


def write(path, model, inputs, labels, kept, description):
    """Compute everything for one network and save it."""
    model.eval()
    exact = copy.deepcopy(model).double()
    features, logits, loss, grads = gradients(exact, to_double(inputs), labels)
    _, _, _, single = gradients(model, inputs, labels)
    losses, after = optimise(copy.deepcopy(exact), to_double(inputs), labels, 20, kept, 3)
    single_losses, _ = optimise(copy.deepcopy(model), inputs, labels, 20, kept, 3)

    tensors = {f"weights/{name_on_disk(n)}": t for n, t in model.state_dict().items()
               if not n.endswith(("num_batches_tracked", "position_ids", "token_type_ids"))}
    if isinstance(inputs, dict):
        tensors |= {f"input/{n}": t for n, t in inputs.items()}
    else:
        tensors["input/image"] = inputs
    tensors |= {"labels": labels, "features": features, "logits": logits,
                "loss": torch.tensor(loss, dtype=torch.float64).reshape(1),
                "losses20": torch.tensor(losses, dtype=torch.float64)}
    tensors |= {f"grad/{n}": g for n, g in grads.items()}
    tensors |= {f"after3/{n}": t for n, t in after.items()}
    tensors = {n: (t.float() if t.is_floating_point() else t).contiguous() for n, t in tensors.items()}

    description |= {
        "float32_deviation": {
            "gradients": float(f"{deviation(grads, single):.0e}"),
            "losses20": float(f"{max(abs(a - b) for a, b in zip(losses, single_losses)):.0e}"),
        },
        "adamw": {"lr": LEARNING_RATE, "betas": BETAS, "eps": EPSILON, "weight_decay": WEIGHT_DECAY,
                  "decayed": "tensors with two or more dimensions"},
        "versions": {"torch": torch.__version__.split("+")[0], "timm": timm.__version__,
                     "transformers": transformers.__version__},
    }
    # One metadata key: the library writes several in an order that changes from run to run.
    save_file(tensors, path, metadata={"description": json.dumps(description, sort_keys=True)})
    quiet = [n for n, g in grads.items() if g.norm() < 1e-8]
    print(f"{path.name}: {path.stat().st_size} bytes, loss {loss:.6f} -> {losses[-1]:.6f}, "
          f"float32 deviation {description['float32_deviation']}, without gradient: {quiet}")


def make_cnn(path, seed, gain, shape, kept, net):
    generator = torch.Generator().manual_seed(seed)
    model = Classifier(net, net.head_hidden_size, 5)
    randomise(model, generator, gain)
    image = torch.randn(shape, generator=generator)
    labels = torch.randint(5, (shape[0],), generator=generator, dtype=torch.int32)
    write(path, model, image, labels, kept, describe_cnn(net))


def make_resnet(path, seed, gain, shape, kept, bottleneck, layers, channels, **variant):
    generator = torch.Generator().manual_seed(seed)
    block = Bottleneck if bottleneck else BasicBlock
    net = ResNet(block, layers, num_classes=0, channels=channels, **variant)
    model = Classifier(net, net.num_features, 5)
    randomise(model, generator, gain)
    image = torch.randn(shape, generator=generator)
    labels = torch.randint(5, (shape[0],), generator=generator, dtype=torch.int32)
    write(path, model, image, labels, kept,
          {"bottleneck": bottleneck, "layers": layers, "channels": channels} | variant)


def make_bert(path, seed):
    generator = torch.Generator().manual_seed(seed)
    config = BertConfig(
        vocab_size=120, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=40, layer_norm_eps=1e-12, hidden_act="gelu",
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )
    model = Classifier(PooledBert(BertModel(config, add_pooling_layer=False)), 32, 3)
    randomise(model, generator, 1.0)
    lengths = torch.tensor([3, 11, 7, 1], dtype=torch.int32)
    mask = (torch.arange(11).unsqueeze(0) < lengths.unsqueeze(1)).to(torch.int32)
    ids = torch.randint(1, 120, mask.shape, generator=generator, dtype=torch.int32) * mask
    labels = torch.tensor([0, 1, 2, 1], dtype=torch.int32)
    kept = ["head.weight", "head.bias", "embeddings.LayerNorm.weight",
            "encoder.layer.0.attention.self.query.weight", "embeddings.word_embeddings.weight"]
    names = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
             "intermediate_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
             "hidden_act"]
    write(path, model, {"ids": ids, "mask": mask, "lengths": lengths}, labels, kept,
          {name: getattr(config, name) for name in names})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "gradients")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    make_cnn(
        out / "small_mobilenetv2.safetensors", 1, 1.2, (3, 3, 64, 48),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "blocks.5.1.conv_pwl.weight"],
        small_cnn(stages=MOBILENETV2, channels=0.1, depth=1.0, fix_first_last=False, fix_stem=False,
                  pad_type="", bn_eps=1e-5, head_channels=256),
    )
    make_cnn(
        out / "small_efficientnet_lite.safetensors", 2, 1.4, (2, 3, 65, 47),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "blocks.2.0.conv_dw.weight"],
        small_cnn(stages=EFFICIENTNET_LITE, channels=0.1, depth=0.34, fix_first_last=True, fix_stem=True,
                  pad_type="same", bn_eps=1e-3, head_channels=256),
    )
    make_bert(out / "small_bert.safetensors", 3)
    make_resnet(
        out / "small_resnet.safetensors", 4, 1.2, (3, 3, 64, 48),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "layer2.0.downsample.0.weight"],
        bottleneck=False, layers=(1, 2, 1, 1), channels=(8, 12, 16, 24),
    )
    make_resnet(
        out / "small_resnet_bottleneck.safetensors", 5, 1.2, (2, 3, 65, 47),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "layer3.0.conv2.weight"],
        bottleneck=True, layers=(1, 1, 2, 1), channels=(16, 4, 8, 8),
    )
    make_cnn(
        out / "small_efficientnet.safetensors", 16, 1.2, (3, 3, 64, 48),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "blocks.2.0.se.conv_reduce.weight"],
        small_efficientnet(),
    )
    make_cnn(
        out / "small_tf_efficientnet.safetensors", 17, 1.2, (2, 3, 65, 47),
        ["head.weight", "head.bias", "bn1.weight", "bn1.bias", "blocks.5.0.se.conv_expand.bias"],
        small_efficientnet(bn_eps=1e-3, pad_type="same"),
    )
    make_cnn(
        out / "small_mobilenetv3_small.safetensors", 18, 1.2, (3, 3, 64, 48),
        ["head.weight", "head.bias", "conv_head.bias", "bn1.bias", "blocks.3.0.se.conv_reduce.weight"],
        small_mobilenet_v3("mobilenetv3_small_100", 96),
    )
    make_cnn(
        out / "small_tf_mobilenetv3_large.safetensors", 19, 1.2, (2, 3, 65, 47),
        ["head.weight", "head.bias", "conv_head.weight", "bn1.weight", "blocks.6.0.conv.weight"],
        small_mobilenet_v3("mobilenetv3_large_100", 96, bn_eps=1e-3, pad_type="same"),
    )
    make_resnet(
        out / "small_resnet_d.safetensors", 20, 1.2, (2, 3, 65, 47),
        ["head.weight", "head.bias", "bn1.weight", "conv1.0.weight", "layer2.0.downsample.1.weight"],
        bottleneck=True, layers=(1, 1, 1, 1), channels=(8, 4, 8, 8),
        stem_width=32, stem_type="deep", avg_down=True,
    )


if __name__ == "__main__":
    main()
