"""Writes what Pillow and timm make of small images: resizes, crops and decoded files.

    python make_resize.py            # writes beside this file

Needs Pillow, NumPy, torchvision and timm. Seeded: the same versions write the same bytes. The
files here were written with Pillow 13.0.0, timm 1.0.31, torchvision 0.29.2 and NumPy 2.4.6.

All numbers are little-endian. An image is u32 width, u32 height, height x width x 3 bytes.

resize.bin  The two source images, u32 number of cases; per case u32 source, u32 filter (0
            bilinear, 1 bicubic), and the source resized by Pillow as an image.
crop.bin    u32 number of cases; per case u32 source, u32 filter, f64 crop fraction, and what
            timm's evaluation transform makes of the source, as an image.
decode.bin  u32 number of files; per file u32 length and bytes of the name, u32 length and bytes of
            the file, and the image that Pillow makes of it: upright, what is transparent pasted on
            white, of 16 bits the higher eight.
"""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from timm.data import create_transform

HERE = Path(__file__).parent
FILTERS = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC]
NAMES = ["bilinear", "bicubic"]


def photo(width, height, seed):
    """Smooth colours, edges and noise: what the faults of a resize show in."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = [
        127 + 120 * np.sin(x / 5 + seed) * np.cos(y / 7),
        255 * (((x // 6) + (y // 4)) % 2),
        255 * x / width + random.normal(0, 20, (height, width)),
    ]
    return np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)


def pixels(image):
    array = np.asarray(image)
    height, width, _ = array.shape
    return struct.pack("<II", width, height) + array.tobytes()


def sized(content):
    return struct.pack("<I", len(content)) + content


def make_resizes(sources):
    sizes = [[(16, 12), (41, 17), (7, 30), (48, 33)], [(9, 14), (30, 45), (23, 5)]]
    cases = [
        struct.pack("<II", number, kind) + pixels(source.resize(size, filter))
        for number, source in enumerate(sources)
        for kind, filter in enumerate(FILTERS)
        for size in sizes[number]
    ]
    head = b"".join(pixels(source) for source in sources) + struct.pack("<I", len(cases))
    (HERE / "resize.bin").write_bytes(head + b"".join(cases))


def make_crops(sources):
    cases = []
    for number, source in enumerate(sources):
        for size, kind, fraction in [
            (14, 0, 0.875), (15, 1, 0.875), (20, 1, 0.9), (13, 0, 1.0), (12, 1, 1.3), (17, 1, 0.95),
        ]:
            transform = create_transform(
                (3, size, size), is_training=False, interpolation=NAMES[kind], crop_pct=fraction,
                mean=(0, 0, 0), std=(1, 1, 1),
            )
            tensor = transform(source).numpy().transpose(1, 2, 0)
            crop = np.rint(tensor * 255).astype(np.uint8)
            cases.append(struct.pack("<IId", number, kind, fraction) + pixels(crop))
    (HERE / "crop.bin").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))


def as_rgb(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def make_files():
    cases = []

    def save(name, image, **options):
        file = io.BytesIO()
        image.save(file, Path(name).suffix[1:].replace("jpg", "jpeg"), **options)
        decoded = as_rgb(Image.open(io.BytesIO(file.getvalue())))
        cases.append(sized(name.encode()) + sized(file.getvalue()) + pixels(decoded))

    image = Image.fromarray(photo(37, 26, 3))
    small = Image.fromarray(photo(17, 10, 4))
    save("420.jpg", image, quality=85, subsampling="4:2:0")
    save("422.jpg", image, quality=70, subsampling="4:2:2")
    save("444_progressive.jpg", image, quality=90, subsampling="4:4:4", progressive=True)
    save("grey.jpg", small.convert("L"), quality=80)
    save("cmyk.jpg", small.convert("CMYK"), quality=90)
    for orientation in range(2, 9):
        tiny = small.crop((0, 0, 11, 6))
        save(f"turned_{orientation}.jpg", tiny, quality=85, exif=exif(orientation))

    alpha = photo(16, 10, 5)
    opacity = np.linspace(0, 255, 160).astype(np.uint8).reshape(10, 16, 1)
    save("alpha.png", Image.fromarray(np.concatenate([alpha, opacity], axis=2)))
    save("turned.png", small, exif=exif(6))
    grey = Image.fromarray(alpha[:, :, 2])
    grey.putalpha(Image.fromarray(opacity[:, :, 0]))
    save("grey_alpha.png", grey)
    save("palette.png", small.quantize(16))
    save("palette_with_hole.png", small.quantize(16), transparency=3)
    save("palette.gif", small.quantize(16))
    save("one_bit.png", small.convert("1"))
    save("16_bit.png", Image.fromarray(np.linspace(0, 65535, 160).astype(np.uint16).reshape(10, 16)))
    save("lossless.webp", small, lossless=True)
    save("lossy.webp", image, quality=80)
    save("rgb.bmp", small)
    save("palette.bmp", small.quantize(16))
    save("deflate.tiff", small, compression="tiff_adobe_deflate")
    save("turned.tiff", small, exif=exif(8))
    save("cmyk.tiff", small.convert("CMYK"))
    (HERE / "decode.bin").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))


if __name__ == "__main__":
    sources = [Image.fromarray(photo(41, 30, 1)), Image.fromarray(photo(23, 37, 2))]
    make_resizes(sources)
    make_crops(sources)
    make_files()
