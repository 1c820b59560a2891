"""Tables as Python's csv, pandas, openpyxl, pyarrow and polars write them, with what pandas reads of them.

    pip install pandas openpyxl pyarrow polars
    python make_tables.py        # writes dialects.jsonl.gz, book*.xlsx and rows*.parquet beside itself

Made with pandas 3.1.1, openpyxl 3.1.5, pyarrow 26.0.1 and polars 2.1.0 under Python's seed below; each table is read
back with pandas and compared before it is written.
"""

import base64, csv, datetime, gzip, io, json, pathlib, random

import openpyxl, pandas, polars, pyarrow, pyarrow.parquet

HERE = pathlib.Path(__file__).parent
RANDOM = random.Random(20)
WORDS = ["good", "film", "a", "long", "day", "naïve", "straße", "映画", "😀", "5\"", "it's", "C:\\tmp", "#1", "x=y", "10%"]
MARKS = [", ", "; ", "\t", " | ", "\n", " \"so\" ", "  ", "...", " - "]


def text(plain):
    """Plain ones hold nothing that needs quotes."""
    words = [word for word in WORDS if not plain or not set(word) & set('"\\')]
    some = [RANDOM.choice(words) for _ in range(RANDOM.randint(2, 9))]
    if not plain:
        for _ in range(RANDOM.randint(0, 3)):
            some.insert(RANDOM.randint(1, len(some) - 1), RANDOM.choice(MARKS).strip(" ") or " ")
    return " ".join(some)


def rows(plain, count=12):
    return [(text(plain), ["joy", "anger", "no mood"][n % 3]) for n in range(count)]


def latin(table):
    return [(text.encode("latin-1", "replace").decode("latin-1"), label) for text, label in table]


def dialects():
    quotings = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC,
                "none": csv.QUOTE_NONE}
    for delimiter in ",;\t|":
        for quoting, how in quotings.items():
            for end in ["\n", "\r\n", "\r"]:
                for escaped in [False, True]:
                    for writer in ["csv", "pandas"]:
                        if escaped and quoting == "none":
                            continue
                        if end == "\r" and writer == "pandas" and escaped:
                            continue
                        table = rows(plain=quoting == "none" or end == "\r")
                        if escaped:
                            # Without a quote within quotes nothing tells that they are escaped.
                            mark = [f'{delimiter} "so"', ' or "so"']
                            table = [(text + mark[n % 3 == 1], label) for n, (text, label) in enumerate(rows(plain=True))]
                        options = dict(doublequote=not escaped, escapechar="\\" if escaped else None)
                        out = io.StringIO(newline="")
                        if writer == "csv":
                            made = csv.writer(out, delimiter=delimiter, quoting=how, lineterminator=end, **options)
                            made.writerow(["text", "label"])
                            made.writerows(table)
                        else:
                            frame = pandas.DataFrame(table, columns=["text", "label"])
                            frame.to_csv(out, sep=delimiter, quoting=how, lineterminator=end, index=False, **options)
                        # What pandas does not read whole under the very options is no promise.
                        read = pandas.read_csv(io.StringIO(out.getvalue(), newline=""), sep=delimiter, keep_default_na=False,
                                               lineterminator="\r" if end == "\r" else None, quoting=how if how == 3 else 0,
                                               **options)
                        if list(map(tuple, read.values)) != table:
                            print("pandas reads otherwise:", delimiter, quoting, repr(end), escaped, writer)
                            continue
                        name = f"{writer} {delimiter!r} {quoting} {end!r}{' escaped' if escaped else ''}"
                        yield name, out.getvalue().encode(), table
    for encoding in ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]:
        for index in [False, True]:
            table = rows(plain=False)
            out = io.StringIO(newline="")
            pandas.DataFrame(table, columns=["text", "label"]).to_csv(out, index=index)
            content = out.getvalue().encode(encoding)
            if encoding in ("utf-16-le", "utf-16-be"):
                mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding]
                content = mark + content
            yield f"pandas {encoding} {'with' if index else 'without'} index", content, table


def write_dialects():
    lines = []
    for name, content, table in dialects():
        table = [list(row) for row in table]
        lines.append(json.dumps({"name": name, "table": base64.b16encode(content).decode(), "rows": table}))
    with gzip.GzipFile(HERE / "dialects.jsonl.gz", "wb", mtime=0) as out:
        out.write("\n".join(lines).encode())
    print(len(lines), "tables")


def write_books():
    """What a person keeps: a cover sheet, titles, gaps, dates, formulas with and without a value, errors."""
    book = openpyxl.Workbook()
    book.active.title = "Read me"
    book.active["A1"] = "Complaints of the spring"
    sheet = book.create_sheet("Complaints")
    sheet["B2"] = "Complaints 2024"
    header = ["date", "text", "label", "price", "urgent", "at"]
    for place, name in enumerate(header):
        sheet.cell(4, 2 + place, name)
    for n in range(30):
        row = 5 + n + (1 if n > 20 else 0)
        cells = [datetime.date(2024, 3, 1 + n % 28), f'The "{n}" film, a\nlong one', ["joy", "anger"][n % 2],
                 [3, 0.1 + 0.2, 12.5, 1e15][n % 4], n % 3 == 0, datetime.datetime(2024, 3, 1, 12, 30, n)]
        for place, cell in enumerate(cells):
            sheet.cell(row, 2 + place, cell)
    sheet["D6"] = "#N/A"
    book.create_sheet("Notes")["A1"] = "x"
    book.save(HERE / "book.xlsx")
    read = pandas.read_excel(HERE / "book.xlsx", sheet_name="Complaints", header=3)
    assert list(read.columns[1:]) == header and len(read) == 31, read
    pandas.DataFrame(TABLE, columns=["text", "label"]).to_excel(HERE / "book_pandas.xlsx", index=False)


def write_parquet():
    table = TABLE
    frame = pandas.DataFrame(table, columns=["text", "label"])
    frame["stars"] = [None if n == 3 else n % 5 + 0.5 for n in range(len(frame))]
    for codec in ["snappy", "gzip", "zstd", "none"]:
        frame.to_parquet(HERE / f"rows_{codec}.parquet", compression=codec, index=False)
    polars.DataFrame(table, schema=["text", "label"], orient="row").write_parquet(HERE / "rows_polars.parquet")
    # As Hugging Face's datasets write: classes as numbers with their names beside, features, lists of texts.
    names = ["joy", "anger", "no mood"]
    columns = {"text": [text for text, _ in table], "label": [names.index(label) for _, label in table],
               "tags": [["a", "b"][: n % 3] for n in range(len(table))], "vector": [[0.5, 1.5]] * len(table)}
    schema = pyarrow.schema([("text", pyarrow.string()), ("label", pyarrow.int64()),
                             ("tags", pyarrow.list_(pyarrow.string())), ("vector", pyarrow.list_(pyarrow.float32()))])
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), HERE / "rows_datasets.parquet")
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    images = pyarrow.table({"image": pyarrow.array([{"bytes": b"x", "path": "1.png"}], image), "label": [0]})
    pyarrow.parquet.write_table(images, HERE / "images.parquet")
    (HERE / "rows.json").write_text(json.dumps(table, ensure_ascii=False))


TABLE = rows(plain=False)
write_dialects()
write_books()
write_parquet()
