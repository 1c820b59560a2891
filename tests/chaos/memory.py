#!/usr/bin/env python3
"""The most memory that Frostline takes for inputs made to take much, each with its limit.

    python3 tests/chaos/memory.py [--program FROSTLINE] [--megabytes 200] [--only NAME]

Prints a row for each input: the exit code, the peak of resident memory, its limit, what was said. Ends with 1 where a limit
is broken, a signal ended the program, or it panicked. Builds the program with cargo unless one is given.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

ROOT = pathlib.Path(__file__).parents[2]
SCAN_LIMIT = 500
BUSY = 16


def png(path, side):
    """A black picture of `side` x `side` that is small on the disk."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * side)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def fill(path, size, piece, start=b"", end=b""):
    with open(path, "wb") as out:
        out.write(start)
        for _ in range(size // len(piece)):
            out.write(piece)
        out.write(end)


def packed(path, size, piece, start=b""):
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(start)
        for _ in range(size // len(piece)):
            out.write(piece)


def workbook(path, size):
    """A sheet of `size` bytes whose cells all show one long text; a few hundred kilobytes on the disk."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    row = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default '
                               'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
                                      f'<Relationship Id="r2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}"><si><t>{"long words " * 2000}</t></si><si><t>a</t></si></sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in parts.items():
            out.writestr(name, text)
        with out.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for _ in range(min(size, 40 << 20) // (len(row) * 1000)):
                sheet.write((row * 1000).encode())
            sheet.write(b"</sheetData></worksheet>")


def inputs(folder, size):
    """Name, arguments, limit in MB. Files are made one at a time."""
    noise = random.Random(1).randbytes(1 << 20)
    words = b"lorem ipsum dolor sit amet "
    tables = {
        "random bytes.csv": lambda p: fill(p, size, noise),
        "one cell.csv": lambda p: fill(p, size, words * 4000, b"text,label\n\"", b"\",a\n"),
        "one open quote.csv": lambda p: fill(p, size, words * 4000, b"text,label\nx,a\n\""),
        "one row of commas.csv": lambda p: fill(p, size, b"," * 65536, b"text,label\n"),
        "header of names.csv": lambda p: fill(p, size, b"column," * 8192, b"", b"\n1,2\n"),
        "quotes.csv": lambda p: fill(p, size, b'"' * 65537),
        "line ends.csv": lambda p: fill(p, size, b"\n" * 65536, b"text,label\n"),
        "short rows.csv": lambda p: fill(p, size, b"x,y\n" * 16384, b"text,label\n"),
        "short lines.jsonl": lambda p: fill(p, size, b'{"text":"x","label":1}\n' * 4096),
        "bad rows.csv": lambda p: fill(p, size, b"a,b,c,d\n" * 8192, b"text,label\n"),
        "zeros.csv": lambda p: fill(p, size, bytes(65536)),
        "one line.jsonl": lambda p: fill(p, size, words * 4000, b'{"text": "', b'", "label": "a"}\n'),
        "bad lines.jsonl": lambda p: fill(p, size, b"{x\n" * 16384),
        "brackets.json": lambda p: fill(p, size, b"[" * 65536),
        "empty objects.json": lambda p: fill(p, size, b"{}," * 16384, b"[", b"{}]"),
        "objects in one.json": lambda p: fill(p, size, b"{}," * 16384, b'{"a": [', b"{}]}"),
        "lists in one.json": lambda p: fill(p, size, b"[]," * 16384, b'[{"a": [', b"[]]}]"),
        "commas.csv.gz": lambda p: packed(p, 10 * size, b"," * 65536),
        "rows.csv.gz": lambda p: packed(p, 10 * size, b"words,a\n" * 8192, b"text,label\n"),
        "one word everywhere.xlsx": lambda p: workbook(p, size),
    }
    for name, make in tables.items():
        def prepare(path=folder / name, make=make):
            make(path)
            return ("scan", str(path))
        yield name, prepare, SCAN_LIMIT

    def pictures(count, side):
        def prepare():
            for number in range(count):
                png(folder / f"pictures/{number % 2}/{number}.png", side)
            return ("scan", str(folder / "pictures"))
        return prepare
    yield "16 pictures of 100 megapixels, scanned", pictures(16, 10_000), 2500

    def trained():
        for number in range(16):
            png(folder / f"large/{number % 2}/{number}.png", 10_000 - number)
        new = ("new", "--data", "large", "--backbone", "mobilenetv2_100", "--epochs", "1", "--out", "project")
        return new, ("train", "project", "--threads", str(BUSY))
    yield "the same, trained on with 16 threads", trained, 3500

    def bomb():
        path = folder / "bombs/0/bomb.png"
        png(path, 64)
        data = bytearray(path.read_bytes())
        data[16:24] = struct.pack(">II", 2_000_000_000, 2_000_000_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        path.write_bytes(data)
        png(folder / "bombs/1/fine.png", 64)
        return ("scan", str(folder / "bombs"))
    yield "a picture that claims 4 exapixels", bomb, 200

    def long_text():
        rows = b"".join(b"a short text number %d,%s\n" % (n, b"ab"[n % 2:n % 2 + 1]) for n in range(20))
        long = (words * (1 << 20))[:15 << 20]
        (folder / "long.csv").write_bytes(b"text,label\n" + rows + b"\"" + long + b"\",a\n\"" + long + b"x\",b\n")
        new = ("new", "--data", "long.csv", "--backbone", "all-MiniLM-L6-v2", "--epochs", "1", "--out", "texts")
        return new, ("train", "texts", "--threads", "2")
    yield "texts of 15 MB, trained on", long_text, 1000

    def vocabulary():
        mine = folder / "mine"
        subprocess.run(["cp", "-r", ROOT / "assets/backbones/all-MiniLM-L6-v2", mine], check=True)
        tokenizer = json.loads((mine / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"].update({f"word{n}": 40_000 + n for n in range(1_000_000)})
        (mine / "tokenizer.json").write_text(json.dumps(tokenizer))
        (folder / "few.csv").write_text("text,label\n" + "".join(f"words {n},{'ab'[n % 2]}\n" for n in range(20)))
        return ("new", "--data", "few.csv", "--backbone", "mine", "--out", "vocabulary")
    yield "a tokenizer of a million words too many", vocabulary, 1500


def measure(program, arguments, folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FROSTLINE_", "HF_"))}
    environment |= {"FROSTLINE_ASSETS": str(ROOT / "assets"), "FROSTLINE_HOME": str(folder / "home"), "HF_HOME": str(folder / "hf")}
    with open(folder / "said", "w+") as said:
        child = subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=said, cwd=folder)
        _, status, usage = os.wait4(child.pid, 0)
        said.seek(0)
        lines = [line.strip() for line in said.read().splitlines() if line.strip()]
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--only")
    asked = parser.parse_args()
    program = asked.program
    if not program:
        subprocess.run(["cargo", "build", "--locked", "--bin", "frostline"], cwd=ROOT, check=True)
        program = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/frostline"
    wrong = 0
    print("| input | exit | peak MB | limit MB | said |\n| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory(prefix="frostline-memory-") as folder:
        folder = pathlib.Path(folder)
        for name, prepare, limit in inputs(folder, asked.megabytes << 20):
            if asked.only not in (None, name):
                continue
            commands = prepare()
            commands = (commands,) if isinstance(commands[0], str) else commands
            code, peak, said = max((measure(program, c, folder) for c in commands), key=lambda m: m[1])
            is_wrong = peak > limit or code < 0 or any("panicked" in line for line in said)
            wrong += is_wrong
            words = (said[-1] if said else "")[:110].replace("|", "/")
            print(f"| {name} | {code} | {peak}{' !' if is_wrong else ''} | {limit} | {words} |", flush=True)
            for path in folder.glob("*.*"):
                path.unlink()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
