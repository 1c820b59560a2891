"""Writes training.safetensors: what changes from step to step, as PyTorch does it, small and seeded.

Three steps of each optimiser with clipping, and two of a batch norm in training mode. Names and the
layout of images are those of make_goldens.py. Run with PyTorch 2 on the CPU: python make_training.py
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(21)
torch.set_num_threads(1)
goldens = {}


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def optimisers():
    """Three steps of each optimiser on three tensors whose gradients are clipped together, then not."""
    for name, make in [
        ("sgd", lambda ws: torch.optim.SGD(ws, lr=0.05, momentum=0.8, weight_decay=0.1)),
        ("clipped_adamw", lambda ws: torch.optim.AdamW(ws, lr=0.02, weight_decay=0.3)),
    ]:
        weights = [leaf(23), leaf(4, 5), leaf(6, 3)]
        goldens.update({f"{name}/w0.{n}": w.detach().clone() for n, w in enumerate(weights)})
        optimiser = make(weights)
        for step in range(1, 4):
            for n, w in enumerate(weights):
                w.grad = torch.randn_like(w) * 10.0 ** (1 - step)
                if n == 2:
                    # A table of which two rows were looked up.
                    w.grad[[0, 2, 3, 5]] = 0.0
                goldens[f"{name}/g{step}.{n}"] = w.grad.clone()
            goldens[f"{name}/norm{step}"] = torch.nn.utils.clip_grad_norm_(weights, 5.0)
            optimiser.step()
            goldens.update({f"{name}/w{step}.{n}": w.detach().clone() for n, w in enumerate(weights)})


def batch_norm_training():
    """Two steps with the statistics of the batch; the second batch is another one."""
    norm = torch.nn.BatchNorm2d(13, eps=1e-3, momentum=0.1)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(13))
        norm.bias.copy_(torch.randn(13))
        norm.running_mean.copy_(torch.randn(13))
        norm.running_var.copy_(torch.rand(13) + 0.1)
    goldens.update({"batch_norm/mean0": norm.running_mean.clone(),
                    "batch_norm/var0": norm.running_var.clone()})
    for step, shape in enumerate([(2, 4, 5, 13), (3, 2, 1, 13)], 1):
        norm.zero_grad()
        x = leaf(*shape, scale=3.0)
        y = nhwc(F.relu6(norm(nchw(x)))).contiguous()
        probe = torch.randn_like(y)
        (y * probe).sum().backward()
        tensors = {"x": x, "d_x": x.grad, "y": y, "probe": probe,
                   "weight": norm.weight, "d_weight": norm.weight.grad,
                   "bias": norm.bias, "d_bias": norm.bias.grad,
                   "mean": norm.running_mean, "var": norm.running_var}
        goldens.update({f"batch_norm_{step}/{n}": t.detach().clone() for n, t in tensors.items()})


optimisers()
batch_norm_training()
path = pathlib.Path(__file__).with_name("training.safetensors")
save_file({name: t.detach().contiguous() for name, t in goldens.items()}, path)
