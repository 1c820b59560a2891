#!/usr/bin/env python3
"""Makes the weight files in PyTorch's old format of tests/goldens/hub: one of a BERT of one layer, and one that would
run a program where it is read as Python reads it.

    pip install torch
    python tests/goldens/make_pickles.py
"""

import pathlib
import zipfile

import torch

OUT = pathlib.Path(__file__).parent / "hub"
VOCABULARY, HIDDEN = 100, 8


def weights():
    shapes = {"embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN), "embeddings.position_embeddings.weight": (64, HIDDEN),
              "embeddings.token_type_embeddings.weight": (2, HIDDEN)}
    layer = "encoder.layer.0."
    for name in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]:
        shapes |= {f"{layer}{name}.weight": (HIDDEN, HIDDEN), f"{layer}{name}.bias": (HIDDEN,)}
    shapes |= {f"{layer}intermediate.dense.weight": (2 * HIDDEN, HIDDEN), f"{layer}intermediate.dense.bias": (2 * HIDDEN,),
               f"{layer}output.dense.weight": (HIDDEN, 2 * HIDDEN), f"{layer}output.dense.bias": (HIDDEN,)}
    for norm in ["embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]:
        # The names of the first BERT files.
        shapes |= {f"{norm}.gamma": (HIDDEN,), f"{norm}.beta": (HIDDEN,)}
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


class Program:
    def __reduce__(self):
        import os

        return os.system, ("touch frostline-was-here",)


def main():
    OUT.mkdir(exist_ok=True)
    torch.save(weights(), OUT / "pytorch_model.bin")
    torch.save({"a": Program()}, OUT / "program.bin")
    for path in sorted(OUT.iterdir()):
        print(path.name, path.stat().st_size, zipfile.is_zipfile(path))


if __name__ == "__main__":
    main()
