"""Small input files and the reference's features of them, written to `features/`.

    python make_features.py [--assets assets/backbones] [--out DIR]

The networks run in float64 and the features are stored as float32, so that the file holds the
correctly rounded answer. README.md beside this file gives the format.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import PIL
import timm
import torch
import torchvision
import transformers
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from reference import ASSETS, ImageBackbone, TextBackbone, open_image

IMAGE_BACKBONES = ["mobilenetv2_100", "tf_efficientnet_lite0"]
TEXT_BACKBONE = "all-MiniLM-L6-v2"
# The file and the text whose values are kept layer by layer: lossless, so that a difference is not
# the decoder's.
TRACED_IMAGE, TRACED_TEXT = "alpha_97x131.png", 1
RESIZED_TO = [(40, 54), (120, 162)]  # width, height; one reduction, one enlargement

TEXTS = [
    "",
    "The quick brown fox jumps over the lazy dog.",
    " \t\n ",
    "Crème brûlée à la façon d'Émile, naïve coöperation in Zürich, İstanbul and Łódź; straße",
    "Great phone 👍🏽, battery lasts 2 days!!! 😀 but the camera... meh 🤷‍♀️",
    "霜線より下は一度だけ計算する。今天天气很好 한국어",
    "?!... -- (((---))) “quoted” ‘single’ … 50% off @ $3.99 #deal a_b-c/d\\e",
    "https://example.org/a?b=c&d=e user@example.com C++ v1.2.3-rc4",
    "x" * 150 + " unbelievable antidisestablishmentarianism",
    "NUL\u0000 zero\u200bwidth soft\u00adhyphen non\u00a0breaking bidi\u202e \ufffd tab\tnewline\nend",
    " ".join(f"Sentence number {i} says that the frozen ground below the line never changes."
             for i in range(40)),
    "bad",
]


def picture(width, height, seed):
    """uint8 [height, width, 3]: soft gradients, hard-edged shapes, a fine grating, a little noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    u, v = x / width, y / height
    base = np.stack([
        90 + 120 * u + 30 * np.sin(7 * v), 60 + 140 * v * (1 - u) + 40 * u, 200 - 150 * u * v,
    ], axis=-1)
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(9):
        left, top = random.uniform(0, 0.8, 2) * (width, height)
        size = random.uniform(0.1, 0.35, 2) * (width, height)
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        box = (left, top, left + size[0], top + size[1])
        [draw.ellipse, draw.rectangle][int(random.integers(2))](box, fill=colour)
    pixels = np.asarray(image).astype(np.float64)
    pixels[height // 2:, : width // 4] += 25 * np.sign(np.sin(x + 0.5 * y))[height // 2:, : width // 4, None]
    pixels += random.normal(0, 2, (height, width, 1))
    return pixels.clip(0, 255).astype(np.uint8)


def write_inputs(folder):
    """The image files; answers their names in a fixed order."""
    big, middle, small = picture(640, 480, 1), picture(300, 200, 2), picture(97, 131, 3)
    Image.fromarray(big).save(folder / "baseline_640x480.jpg", quality=85, subsampling="4:2:0")
    Image.fromarray(middle).save(folder / "progressive_300x200.jpg", quality=85, progressive=True)

    # Stored lying on its side: orientation 6 says that it must be turned by 90 degrees clockwise.
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(middle).transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / "exif6_300x200.jpg", quality=85, exif=exif)

    y, x = np.mgrid[0:131, 0:97]
    alpha = (255 * (1.3 - np.hypot(x / 97 - 0.5, y / 131 - 0.5) * 2)).clip(0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([small, alpha])).save(folder / "alpha_97x131.png")
    Image.fromarray(middle).convert("L").save(folder / "grey_300x200.png")
    wide = small[..., 1].astype(np.uint16) * 256 + np.arange(97, dtype=np.uint16)[None, :] * 2
    Image.fromarray(wide).save(folder / "grey16_97x131.png")
    palette = Image.fromarray(middle).quantize(64, dither=Image.Dither.NONE)
    palette.save(folder / "palette_300x200.png")
    Image.fromarray(picture(131, 97, 4)).convert("CMYK").save(folder / "cmyk_131x97.jpg", quality=85)
    Image.fromarray(small).save(folder / "rgb_97x131.png")
    (folder / "texts.json").write_text(json.dumps(TEXTS, ensure_ascii=True, indent=1) + "\n")
    return sorted(p.name for p in folder.iterdir() if p.suffix in (".jpg", ".png"))


def centre(tensor, rows, columns):
    """The 16 x 16 middle of the two axes `rows` and `columns`."""
    for axis in (rows, columns):
        tensor = tensor.narrow(axis, (tensor.shape[axis] - 16) // 2, 16)
    return tensor.clone()


def image_tensors(assets, folder, names):
    tensors = {}
    for name in names:
        pixels = torch.from_numpy(np.asarray(open_image(folder / name)).copy())
        tensors[f"decoded/{name}/size"] = torch.tensor([pixels.shape[1], pixels.shape[0]], dtype=torch.int32)
        tensors[f"decoded/{name}/centre"] = centre(pixels, 0, 1)
        tensors[f"decoded/{name}/mean"] = pixels.double().mean((0, 1)).float()
    for backbone in IMAGE_BACKBONES:
        model = ImageBackbone(assets / backbone, torch.float64)
        single = ImageBackbone(assets / backbone)
        for name in names:
            path = folder / name
            prepared = model.transform(open_image(path))
            tensors[f"preprocessed/{backbone}/{name}/centre"] = centre(prepared, 1, 2)
            tensors[f"preprocessed/{backbone}/{name}/mean"] = prepared.double().mean((1, 2)).float()
            tensors[f"{backbone}/{name}"] = model.features([path])[0]
            report(f"{backbone}/{name}", tensors[f"{backbone}/{name}"], single.features([path])[0])
        resize_and_crop = torchvision.transforms.Compose(model.transform.transforms[:2])
        pixels = np.asarray(resize_and_crop(open_image(folder / TRACED_IMAGE))).copy()
        tensors[f"preprocessed/{backbone}/{TRACED_IMAGE}/pixels"] = torch.from_numpy(pixels)
        for layer, mean in model.means_after_blocks(folder / TRACED_IMAGE).items():
            tensors[f"intermediate/{backbone}/{TRACED_IMAGE}/{layer}"] = mean
    return tensors


def resize_tensors(folder):
    """Pillow's antialiased resize of the opaque PNG, uint8 [height, width, 3]."""
    image = open_image(folder / "rgb_97x131.png")
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    return {
        f"resize/{name}/{width}x{height}":
            torch.from_numpy(np.asarray(image.resize((width, height), resample)).copy())
        for name, resample in filters.items() for width, height in RESIZED_TO
    }


def text_tensors(assets):
    tensors = {}
    model = TextBackbone(assets / TEXT_BACKBONE, torch.float64)
    single = TextBackbone(assets / TEXT_BACKBONE)
    for i, text in enumerate(TEXTS):
        tensors[f"ids/{i}"] = torch.tensor(model.tokens(text), dtype=torch.int32)
        tensors[f"{TEXT_BACKBONE}/{i}"] = model.features([text])[0]
        report(f"{TEXT_BACKBONE}/{i}", tensors[f"{TEXT_BACKBONE}/{i}"], single.features([text])[0])
    for layer, mean in model.means_after_layers(TEXTS[TRACED_TEXT]).items():
        tensors[f"intermediate/{TEXT_BACKBONE}/{TRACED_TEXT}/{layer}"] = mean
    return tensors


def report(name, exact, single):
    """How far PyTorch's own float32 lies from the stored value."""
    print(f"{name}: norm {exact.norm():.4f}, float32 deviation {(single - exact).norm() / exact.norm():.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "features")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    names = write_inputs(arguments.out)
    tensors = image_tensors(arguments.assets, arguments.out, names)
    tensors |= resize_tensors(arguments.out)
    tensors |= text_tensors(arguments.assets)
    description = {
        "images": names, "traced_image": TRACED_IMAGE, "traced_text": TRACED_TEXT,
        "resized": "rgb_97x131.png",
        "versions": {"torch": torch.__version__.split("+")[0], "timm": timm.__version__,
                     "transformers": transformers.__version__, "pillow": PIL.__version__,
                     "torchvision": torchvision.__version__.split("+")[0]},
    }
    # One metadata key: the library writes several in an order that changes from run to run.
    save_file({n: t.contiguous() for n, t in tensors.items()}, arguments.out / "features.safetensors",
              metadata={"description": json.dumps(description, sort_keys=True)})


if __name__ == "__main__":
    main()
