"""Writes kinds.bin beside this file: TIFF and Netpbm files of every kind that is read, and what they show.

The judge is Pillow wherever it makes RGB of a kind; where it does not (float from 0 to 1, wide integers, 12 bits in 16,
MinIsWhite of 16 bits) the pixels are told from the array that was written. pip install pillow numpy tifffile imagecodecs

The file: a u32 count, then for each case name, bytes, tolerated levels (u32), width, height, `height * width * 3`
bytes; name and bytes with a u32 length before them. Little endian.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps

HERE = Path(__file__).parent
CASES = []


def photo(width, height, seed):
    """Smooth shapes with some noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        127 + 90 * np.sin(x / (3 + c) + c) * np.cos(y / (4 + c)) + random.normal(0, 8, (height, width))
        for c in range(3)
    ]
    return np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8)


def as_rgb(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def add(name, content, expected=None, levels=0):
    """One case; without `expected` Pillow says what the file shows."""
    if expected is None:
        expected = np.asarray(as_rgb(Image.open(io.BytesIO(content))))
    expected = np.asarray(expected)
    if expected.ndim == 2:
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    assert expected.dtype == np.uint8, name
    height, width = expected.shape[:2]
    head = b"".join(struct.pack("<I", len(part)) + part for part in (name.encode(), content))
    CASES.append(head + struct.pack("<III", levels, width, height) + expected.tobytes())


def by_pillow(name, image, expected=None, levels=0, **options):
    file = io.BytesIO()
    image.save(file, "TIFF", **options)
    add(name, file.getvalue(), expected, levels)


def by_tifffile(name, array, expected=None, levels=0, **options):
    file = io.BytesIO()
    options = {"bigtiff": False, "byteorder": "<"} | options
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff"), byteorder=options.pop("byteorder")) as writer:
        writer.write(array, metadata=None, **options)
    add(name, file.getvalue(), expected, levels)


def raw_tiff(tags, data):
    """A little-endian TIFF of one strip. `tags`: number -> (type, values); types 3 (u16) and 4 (u32)."""
    tags = tags | {273: (4, [8]), 279: (4, [len(data)])}
    data += b"\0" * (len(data) % 2)
    at = 8 + len(data) + 2 + 12 * len(tags) + 4
    entries, behind = b"", b""
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place = struct.pack("<I", at + len(behind))
            behind += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", number, kind, len(values)) + place
    return (
        b"II*\0" + struct.pack("<I", 8 + len(data)) + data
        + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + behind
    )


def tiffs():
    rgb = photo(23, 18, 1)
    grey = rgb[:, :, 0].copy()
    image, small = Image.fromarray(rgb), Image.fromarray(rgb[:7, :13])
    alpha = np.linspace(0, 255, grey.size).astype(np.uint8).reshape(grey.shape)
    bits = Image.fromarray(grey).convert("1")

    for name in ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd"]:
        by_pillow(f"{name}.tif", image, compression=name)
        by_pillow(f"{name}_predictor.tif", image, compression=name, tiffinfo={317: 2})
    by_tifffile("webp.tif", rgb, rgb, photometric="rgb", compression="webp", compressionargs={"lossless": True})
    by_pillow("jpeg.tif", image, compression="jpeg", quality=80)
    by_pillow("jpeg_grey.tif", Image.fromarray(grey), compression="jpeg", quality=80)
    for name in ["raw", "tiff_ccitt", "group3", "group4", "packbits", "tiff_lzw"]:
        by_pillow(f"one_bit_{name}.tif", bits, compression=name)
    by_pillow("group3_mixed.tif", bits, compression="group3", tiffinfo={292: 1})
    by_pillow("group3_filled.tif", bits, compression="group3", tiffinfo={292: 4})
    wide = Image.new("1", (2700, 3), 1)
    wide.paste(0, (5, 1, 2650, 2))
    wide.paste(0, (0, 2, 2700, 3))
    for name in ["group3", "group4"]:
        by_pillow(f"long_runs_{name}.tif", wide, compression=name)
    by_pillow("palette.tif", image.quantize(200))
    by_pillow("palette_lzw.tif", image.quantize(16), compression="tiff_lzw")
    with_alpha = Image.fromarray(grey)
    with_alpha.putalpha(Image.fromarray(alpha))
    by_pillow("grey_alpha.tif", with_alpha)
    with_alpha = image.copy()
    with_alpha.putalpha(Image.fromarray(alpha))
    by_pillow("rgb_alpha.tif", with_alpha)
    by_pillow("cmyk_lzw.tif", image.convert("CMYK"), compression="tiff_lzw")
    by_pillow("ycbcr.tif", image.convert("YCbCr"))
    for turn in range(1, 9):
        by_pillow(f"turned_{turn}.tif", small, tiffinfo={274: turn})
    by_pillow("strips.tif", image, tiffinfo={278: 5}, compression="tiff_lzw")
    file = io.BytesIO()
    image.save(file, "TIFF", save_all=True, append_images=[small, small])
    add("three_pages.tif", file.getvalue())

    by_tifffile("big.tif", rgb, bigtiff=True, photometric="rgb")
    by_tifffile("big_endian.tif", rgb, byteorder=">", photometric="rgb")
    by_tifffile("tiles.tif", rgb, tile=(16, 16), photometric="rgb")
    by_tifffile("tiles_deflate.tif", rgb, tile=(16, 32), photometric="rgb", compression="deflate", predictor=2)
    by_tifffile("tiles_jpeg.tif", rgb, tile=(16, 16), photometric="rgb", compression="jpeg")
    by_tifffile("planes.tif", np.moveaxis(rgb, 2, 0).copy(), rgb, photometric="rgb", planarconfig="separate")
    by_tifffile("planes_tiles_lzw.tif", np.moveaxis(rgb, 2, 0).copy(), rgb, photometric="rgb",
                planarconfig="separate", tile=(16, 16), compression="lzw", predictor=2)
    by_tifffile("min_is_white.tif", grey, photometric="miniswhite")
    by_tifffile("min_is_white_16.tif", grey.astype(np.uint16) * 257, 255 - grey, photometric="miniswhite")
    for order in "<>":
        by_tifffile(f"grey_16{order}.tif", grey.astype(np.uint16) * 251, byteorder=order)
        by_tifffile(f"rgb_16{order}.tif", rgb.astype(np.uint16) * 257, rgb, byteorder=order, photometric="rgb",
                    compression="deflate", predictor=2)
    by_tifffile("cmyk_16.tif", np.asarray(image.convert("CMYK")).astype(np.uint16) * 257,
                np.asarray(image.convert("CMYK").convert("RGB")), photometric="separated")
    for many in (2, 4):
        by_tifffile(f"grey_{many}.tif", grey >> (8 - many),
                    ((grey >> (8 - many)).astype(int) * 255 // (2**many - 1)).astype(np.uint8), bitspersample=many)
    by_tifffile("grey_12.tif", grey.astype(np.uint16) * 16, grey, bitspersample=12)
    by_tifffile("multiplied_alpha.tif", np.dstack([rgb // 2, np.full(grey.shape, 128, np.uint8)]),
                rgb // 2 + np.uint8(127), photometric="rgb", extrasamples=["assocalpha"])
    by_tifffile("unspecified_fourth.tif", np.dstack([rgb, alpha]), photometric="rgb", extrasamples=["unspecified"])

    twelve = grey.astype(np.uint16) * 16 + 7
    by_tifffile("twelve_in_sixteen.tif", twelve, (twelve >> 4).astype(np.uint8))
    unit = (rgb / 255).astype(np.float32)
    for order in "<>":
        for kind in (np.float16, np.float32, np.float64):
            # The judge of halves is what halves keep.
            expected = np.rint(unit.astype(kind).astype(np.float64) * 255).astype(np.uint8)
            options = {"byteorder": order, "photometric": "rgb"}
            by_tifffile(f"{kind.__name__}{order}.tif", unit.astype(kind), expected, **options)
            by_tifffile(f"{kind.__name__}_deflate{order}.tif", unit.astype(kind), expected, compression="deflate",
                        predictor=3, **options)
    by_tifffile("float_grey.tif", unit[:, :, 0], grey)
    by_tifffile("float_of_255.tif", grey.astype(np.float32), grey)
    by_tifffile("float_beyond_1.tif", unit[:, :, 0] * 1.5 - 0.25,
                np.rint(np.clip(unit[:, :, 0] * 1.5 - 0.25, 0, 1) * 255).astype(np.uint8))
    by_tifffile("uint32_of_bytes.tif", grey.astype(np.uint32), grey)
    by_tifffile("uint32.tif", grey.astype(np.uint32) << 24, grey)
    by_tifffile("int16.tif", grey.astype(np.int16) << 7, grey)
    by_tifffile("int32_of_words.tif", grey.astype(np.int32) << 8, grey)

    # What libtiff's writers do not make: shared colour differences without JPEG, bits in the other order.
    bright = np.asarray(image.convert("YCbCr"))[:18, :22]
    blocks = b""
    for y in range(0, 18, 2):
        for x in range(0, 22, 2):
            block = bright[y:y + 2, x:x + 2]
            blocks += block[:, :, 0].tobytes() + bytes(block[:, :, c].mean().astype(np.uint8) for c in (1, 2))
    tags = {256: (4, [22]), 257: (4, [18]), 258: (3, [8, 8, 8]), 259: (3, [8]), 262: (3, [6]), 277: (3, [3]),
            278: (4, [18]), 530: (3, [2, 2])}
    # libtiff rounds the matrix of YCbCr otherwise than Pillow does.
    add("ycbcr_shared.tif", raw_tiff(tags, zlib.compress(blocks)), levels=2)
    nibbles = np.pad(grey >> 4, ((0, 0), (0, 1)))
    tags = {256: (4, [23]), 257: (4, [18]), 258: (3, [4]), 259: (3, [1]), 262: (3, [3]), 277: (3, [1]), 278: (4, [18]),
            320: (3, [number * 1365 for number in range(48)])}
    add("palette_4.tif", raw_tiff(tags, (nibbles[:, ::2] << 4 | nibbles[:, 1::2]).tobytes()))
    packed = np.packbits(np.asarray(bits), axis=1, bitorder="little").tobytes()
    tags = {256: (4, [23]), 257: (4, [18]), 258: (3, [1]), 259: (3, [1]), 262: (3, [1]), 266: (3, [2]), 277: (3, [1]),
            278: (4, [18])}
    add("low_bit_first.tif", raw_tiff(tags, packed))


def netpbm():
    rgb = photo(19, 11, 2)
    image = Image.fromarray(rgb)
    for name, mode in [("bytes.ppm", "RGB"), ("bytes.pgm", "L"), ("bits.pbm", "1")]:
        file = io.BytesIO()
        image.convert(mode).save(file, "PPM")
        add(name, file.getvalue())
    digits = " ".join(map(str, rgb.reshape(-1)))
    add("digits.ppm", f"P3\n# made by hand\n19 11\n255\n{digits}\n".encode())
    digits = " ".join(str(value // 17) for value in rgb[:, :, 0].reshape(-1))
    add("digits_of_15.pgm", f"P2 19 11 15\n{digits}\n".encode())
    digits = "".join(str(value // 128) for value in rgb[:, :, 0].reshape(-1))
    add("digits.pbm", f"P1\n19 11\n{digits}\n".encode())
    add("bytes_of_100.ppm", b"P6 19 11 100\n" + (rgb // 3).tobytes())
    words = (rgb.astype(np.uint16) * 250).astype(">u2")
    add("words_of_65000.ppm", b"P6 19 11 65000\n" + words.tobytes())
    words = rgb[:, :, 0].astype(np.uint16) * 257
    add("words.pgm", b"P5 19 11 65535\n" + words.astype(">u2").tobytes(), rgb[:, :, 0])
    head = "P7\nWIDTH 19\nHEIGHT 11\nDEPTH {}\nMAXVAL 255\nTUPLTYPE {}\nENDHDR\n"
    add("colours.pam", head.format(3, "RGB").encode() + rgb.tobytes(), rgb)
    opacity = np.full((11, 19, 1), 255, np.uint8)
    opacity[:5] = 0
    expected = rgb.copy()
    expected[:5] = 255
    add("opacity.pam", head.format(4, "RGB_ALPHA").encode() + np.dstack([rgb, opacity]).tobytes(), expected)


if __name__ == "__main__":
    tiffs()
    netpbm()
    (HERE / "kinds.bin").write_bytes(struct.pack("<I", len(CASES)) + b"".join(CASES))
    print(len(CASES), "cases", sum(map(len, CASES)), "bytes")
