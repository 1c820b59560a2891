"""Small backbones as people bring them, with what transformers and sentence-transformers make of them, written to
`brought/`.

    python make_brought.py [--out DIR]

README.md beside this file gives the format. The networks run in float64.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer
from transformers import (
    AutoImageProcessor,
    BertConfig,
    BertModel,
    BertTokenizerFast,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetModel,
)

HERE = Path(__file__).resolve().parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a good bad soup was is not very cold hot and fresh slow cheap i will come back never again staff
##s ##ly ##ed un ##happy caf ##e café É é 東 京 ! , . ? 1 2 ##0 Good Soup""".split()
TEXTS = [
    "the soup was good",
    "Good Soup, very HOT!",
    "I will never come back.",
    "unhappy staff, slowly cooled soup?",
    "Café É 東京 20 12",
    "the " * 40,
    "zebra",
]
POOLINGS = {"cls": "cls", "max": "max", "mean": "mean", "lasttoken": "lasttoken"}


def text_backbone(folder):
    """A BERT of two layers and a tokenizer of word pieces."""
    torch.manual_seed(1)
    vocabulary = SPECIAL + WORDS
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)


def pooled(folder, out):
    """Each pooling, plain and normalised: the files of sentence-transformers and its features."""
    features = {}
    for name, mode in POOLINGS.items():
        for ending, more in (("", []), ("-normalised", [Normalize()])):
            encoder = Transformer(str(folder), max_seq_length=32)
            width = encoder.get_word_embedding_dimension()
            model = SentenceTransformer(modules=[encoder, Pooling(width, pooling_mode=mode), *more], device="cpu")
            model.double()
            found = model.encode(TEXTS, batch_size=1)
            features[name + ending] = [[float(np.float32(v)) for v in row] for row in found]
            with tempfile.TemporaryDirectory() as saved:
                model.save(saved, create_model_card=False)
                target = out / "pooling" / (name + ending)
                target.mkdir(parents=True)
                shutil.copy(f"{saved}/modules.json", target)
                for config in Path(saved).glob("*_Pooling/config.json"):
                    (target / config.parent.name).mkdir()
                    shutil.copy(config, target / config.parent.name)
    return features


def tokens(folder):
    """Ids of `vocab.txt` alone under several settings of BertTokenizer."""
    found = []
    for settings in [
        {}, {"do_lower_case": False}, {"strip_accents": False}, {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
    ]:
        tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32, **settings)
        ids = [tokenizer(text, truncation=True)["input_ids"] for text in TEXTS]
        found.append({"settings": settings, "ids": ids})
    return found


def resnet(folder, kind, **more):
    """A small ResNet of transformers, and its pooled features of a picture."""
    torch.manual_seed(2)
    config = ResNetConfig(
        embedding_size=64, hidden_sizes=[16, 24, 32, 48], depths=[1, 2, 1, 1], layer_type=kind, **more
    )
    model = ResNetModel(config).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean") or name.endswith("bias"):
            tensor.uniform_(-0.2, 0.2)
    model.save_pretrained(folder)
    ConvNextImageProcessor(
        size={"shortest_edge": 64}, crop_pct=0.875, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    image = Image.open(HERE / "features" / "rgb_97x131.png").convert("RGB")
    pixels = processor(image, return_tensors="pt")["pixel_values"].double()
    with torch.no_grad():
        found = model.double()(pixels).pooler_output.flatten()
    return [float(np.float32(v)) for v in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "brought")
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    text = out / "text"
    text_backbone(text)
    expected = {"texts": TEXTS, "features": pooled(text, out), "tokens": tokens(text)}
    for kind in ("basic", "bottleneck"):
        expected[f"resnet-{kind}"] = resnet(out / f"resnet-{kind}", kind)
    (out / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
