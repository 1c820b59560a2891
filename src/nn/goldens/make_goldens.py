"""Writes layers.safetensors: inputs, results and gradients of PyTorch's layers, small and seeded.

Every case is a group of tensors `case/name`. Images are NHWC, as in the Rust layers; weights keep the
layout of weight files. The loss of a case is sum(y * probe); `d_name` is its gradient. Run with PyTorch
2 on the CPU: python make_goldens.py
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(20)
torch.set_num_threads(1)
goldens = {}


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def record(case, y, **inputs):
    """Keeps the inputs, the result, the probe and the gradient of each input that wants one."""
    probe = torch.randn_like(y)
    (y * probe).sum().backward()
    goldens.update({f"{case}/y": y, f"{case}/probe": probe})
    for name, tensor in inputs.items():
        goldens[f"{case}/{name}"] = tensor
        if tensor.requires_grad:
            goldens[f"{case}/d_{name}"] = tensor.grad


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def pad_same(x, kernel, stride):
    """TensorFlow's SAME padding of an NCHW tensor."""
    amounts = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        amounts += [total // 2, total - total // 2]
    return F.pad(x, amounts)


def linear():
    for name, activation in [
        ("gelu_erf", F.gelu),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
        ("silu", F.silu),
        ("relu", F.relu),
        ("relu6", F.relu6),
    ]:
        x, weight, bias = leaf(3, 5, 17, scale=2.0), leaf(11, 17), leaf(11)
        record(f"linear_{name}", activation(F.linear(x, weight, bias)), x=x, weight=weight, bias=bias)


def convolution():
    for padding in ("symmetric", "same"):
        x, weight, bias = leaf(2, 9, 8, 3), leaf(5, 3, 3, 3), leaf(5)
        if padding == "symmetric":
            y = F.conv2d(nchw(x), weight, bias, stride=2, padding=1)
        else:
            y = F.conv2d(pad_same(nchw(x), 3, 2), weight, bias, stride=2)
        record(f"conv_{padding}", nhwc(y).contiguous(), x=x, weight=weight, bias=bias)


def depthwise():
    for kernel in (3, 5):
        for stride in (1, 2):
            for padding in ("symmetric", "same"):
                x, weight = leaf(1, 7, 6, 19), leaf(19, 1, kernel, kernel)
                if padding == "symmetric":
                    y = F.conv2d(nchw(x), weight, stride=stride, padding=kernel // 2, groups=19)
                else:
                    y = F.conv2d(pad_same(nchw(x), kernel, stride), weight, stride=stride, groups=19)
                record(f"depthwise_{kernel}_{stride}_{padding}", nhwc(y).contiguous(), x=x, weight=weight)


def norms():
    x, weight, bias = leaf(2, 4, 5, 13), leaf(13), leaf(13)
    mean, var = torch.randn(13), torch.rand(13) + 0.1
    y = F.batch_norm(nchw(x), mean, var, weight, bias, training=False, eps=1e-3)
    record("batch_norm", nhwc(F.relu6(y)).contiguous(), x=x, weight=weight, bias=bias, mean=mean, var=var)
    x, weight, bias = leaf(4, 3, 37), leaf(37), leaf(37)
    record("layer_norm", F.layer_norm(x, (37,), weight, bias, eps=1e-12), x=x, weight=weight, bias=bias)


def attention():
    lengths, heads, size = [5, 1, 12], 3, 4
    q, k, v = (leaf(sum(lengths), heads * size) for _ in range(3))
    parts = []
    for i, length in enumerate(lengths):
        rows = slice(sum(lengths[:i]), sum(lengths[:i]) + length)
        split = [t[rows].view(length, heads, size).transpose(0, 1) for t in (q, k, v)]
        out = F.scaled_dot_product_attention(*split)
        parts.append(out.transpose(0, 1).reshape(length, heads * size))
    record("attention", torch.cat(parts), q=q, k=k, v=v)


def loss():
    logits, labels = leaf(9, 6, scale=4.0), torch.randint(0, 6, (9,))
    record("cross_entropy", F.cross_entropy(logits, labels), logits=logits, labels=labels.to(torch.uint32))


def adamw():
    w = leaf(23)
    goldens["adamw/w0"] = w.detach().clone()
    optimiser = torch.optim.AdamW([w], lr=0.02, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.3)
    for step in range(1, 4):
        w.grad = torch.randn(23) * 10.0 ** (1 - step)
        goldens[f"adamw/g{step}"] = w.grad.clone()
        optimiser.step()
        goldens[f"adamw/w{step}"] = w.detach().clone()


def hard_activations():
    """The others of linear(), and all that have corners at their corners."""
    for name, activation in [
        ("hard_swish", F.hardswish),
        ("sigmoid", torch.sigmoid),
        ("hard_sigmoid", F.hardsigmoid),
    ]:
        x, weight, bias = leaf(3, 5, 17, scale=2.0), leaf(11, 17), leaf(11)
        record(f"linear_{name}", activation(F.linear(x, weight, bias)), x=x, weight=weight, bias=bias)
    for name, activation in [
        ("relu", F.relu),
        ("relu6", F.relu6),
        ("hard_swish", F.hardswish),
        ("hard_sigmoid", F.hardsigmoid),
    ]:
        x = torch.tensor([[-4.0], [-3.0], [-1.0], [0.0], [1.0], [3.0], [6.0], [7.0]]).requires_grad_()
        weight, bias = torch.ones(1, 1), torch.zeros(1)
        record(f"corners_{name}", activation(F.linear(x, weight, bias)), x=x, weight=weight, bias=bias)


def squeeze_excite():
    for name, inner, gate in [("silu", F.silu, torch.sigmoid), ("relu", F.relu, F.hardsigmoid)]:
        x, reduce, expand = leaf(3, 7, 6, 19), leaf(5, 19, 1, 1), leaf(19, 5, 1, 1)
        reduce_bias, expand_bias = leaf(5), leaf(19)
        means = nchw(x).mean((2, 3), keepdim=True)
        gates = gate(F.conv2d(inner(F.conv2d(means, reduce, reduce_bias)), expand, expand_bias))
        record(f"squeeze_excite_{name}", nhwc(nchw(x) * gates).contiguous(), x=x, reduce=reduce,
               reduce_bias=reduce_bias, expand=expand, expand_bias=expand_bias)


def average_pool():
    for counted in (False, True):
        x = leaf(2, 7, 6, 5)
        y = F.avg_pool2d(nchw(x), 3, 2, padding=1, count_include_pad=counted)
        record(f"average_pool_{'counted' if counted else 'inside'}", nhwc(y).contiguous(), x=x)
    x = leaf(2, 7, 6, 5)
    y = F.avg_pool2d(nchw(x), 2, 2, ceil_mode=True, count_include_pad=False)
    record("average_pool_ceil", nhwc(y).contiguous(), x=x)


for case in (linear, convolution, depthwise, norms, attention, loss, adamw, hard_activations, squeeze_excite,
             average_pool):
    case()
path = pathlib.Path(__file__).with_name("layers.safetensors")
save_file({name: t.detach().contiguous() for name, t in goldens.items()}, path)
