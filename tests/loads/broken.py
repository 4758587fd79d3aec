"""Files as they should not be, made small by code, each with what is said about it: message and code, or the rows that are rejected."""

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook

_GOOD = b"id,name,city\n1,Ann,Troy\n2,Bob,Rome\n"


@dataclass(frozen=True, slots=True)
class Broken:
    """`says`: the message of a file that is refused, with its code. `rejects`: row -> code where it is read, `good` rows being left."""

    name: str
    data: Callable[[], bytes]
    says: str = ""
    code: str = ""
    rejects: Mapping[int, str] = field(default_factory=dict)
    good: int = 0


def text(content: str, encoding: str = "utf-8") -> Callable[[], bytes]:
    return lambda: content.encode(encoding)


def raw(content: bytes) -> Callable[[], bytes]:
    return lambda: content


def packed(content: bytes, keep: int | None = None) -> Callable[[], bytes]:
    return lambda: gzip.compress(content, mtime=0)[:keep]


def book(*rows: tuple[object, ...], merge: str = "", keep: int | None = None) -> Callable[[], bytes]:
    def data() -> bytes:
        workbook = Workbook()
        for row in rows:
            workbook.worksheets[0].append(row)
        if merge:
            workbook.worksheets[0].merge_cells(merge)
        file = BytesIO()
        workbook.save(file)
        return file.getvalue()[:keep]

    return data


def far_apart() -> bytes:
    workbook = Workbook()
    workbook.worksheets[0].cell(1, 1, "id")
    workbook.worksheets[0].cell(200_000, 2_000, "x")
    file = BytesIO()
    workbook.save(file)
    return file.getvalue()


def archive(parts: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return file.getvalue()


def bomb(size: int, promised: int | None = None) -> bytes:
    """A workbook of one sheet that unpacks to `size` zeros, a thousand times its own size, and promises as much or something else."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # stands by itself: repeated, it unpacks repeatedly
    stream = block * (size >> 20) + packer.flush()
    data = bytearray(archive({"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": stream}, method=zipfile.ZIP_STORED))
    for signature, method_at, size_at in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        header = data.rindex(signature)
        struct.pack_into("<H", data, header + method_at, zipfile.ZIP_DEFLATED)
        struct.pack_into("<L", data, header + size_at, size if promised is None else promised)
    return bytes(data)


def overlapping() -> bytes:
    """Many names for one packed part, as in the bombs that need no nesting."""
    parts = {"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": b"0" * 100_000, "xl/worksheets/sheet2.xml": b"1" * 100_000}
    data = bytearray(archive(parts))
    second = data.rindex(b"PK\x01\x02")
    first = data.rindex(b"PK\x01\x02", 0, second)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def nested() -> bytes:
    """42.zip itself is an archive of archives."""
    inner = archive({"0.dll": b"0" * 1_000_000})
    return archive({f"lib {number}.zip": inner for number in range(16)})


def with_entities() -> bytes:
    declared = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    return archive({"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": declared})


def protected() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(480)


def parquet(table: pa.Table, keep: int | None = None) -> Callable[[], bytes]:
    def data() -> bytes:
        file = BytesIO()
        pq.write_table(table, file)
        return file.getvalue()[:keep]

    return data


_WHOLE = pa.table({"id": ["1", "2"], "name": ["Ann", "Bob"]})
_CUT_GZIP = len(gzip.compress(_GOOD * 2000, mtime=0)) // 2
_QUOTE = "broken_quotes"

BROKEN: tuple[Broken, ...] = (
    # whole files of text
    Broken("empty.csv", raw(b""), "empty.csv: the file is empty", "empty_file"),
    Broken("blank.csv", text("\n\n  \n"), "blank.csv: the file has no rows", "empty_file"),
    Broken("only a mark.csv", raw(b"\xef\xbb\xbf"), "only a mark.csv: the file has no rows", "empty_file"),
    Broken("header only.csv", text("id,name\n"), "header only.csv, row 1: there is a header but no rows", "header_only"),
    Broken("header and blanks.csv", text("id,name\n,\n\n"), "header and blanks.csv, row 1: there is a header but no rows", "header_only"),
    Broken(
        "torn utf-16.csv", raw("id,name\n1,Ann\n".encode("utf-16")[:-1]), "torn utf-16.csv, row 2: not written in utf-16", "wrong_encoding"
    ),
    Broken("mark lies.csv", raw(b"\xef\xbb\xbfid,name\n1,J\xfcrgen\n"), "mark lies.csv, row 2: not written in utf-8-sig", "wrong_encoding"),
    Broken("workbook.csv", book(("id", "name"), ("1", "Ann")), "workbook.csv: this is a zip archive or a workbook", "no_text"),
    Broken(
        "old.csv", raw(b"\xd0\xcf\x11\xe0" + bytes(600)), "old.csv: this is an Office file of the old kind, or a protected one", "no_text"
    ),
    Broken("printed.csv", raw(b"%PDF-1.7\n"), "printed.csv: this is a PDF document", "no_text"),
    Broken("parquet.csv", parquet(_WHOLE), "parquet.csv: this is a Parquet file", "no_text"),
    Broken("endless.csv", raw(b"x" * (66 << 20)), "endless.csv: a line of more than 64 MiB", "endless_line"),
    Broken(
        "no header.csv",
        text("1,1980-03-12,5\n2,1981-04-13,6\n"),
        "no header.csv, row 1: the row does not look like names of columns",
        "no_header",
    ),
    Broken(
        "two rows of names.csv",
        text("Patient,,Address,\nid,name,street,city\n1,Ann,Main,Troy\n"),
        "two rows of names.csv, row 1: the header is more than one row, or a title stands above it",
        "double_header",
    ),
    Broken(
        "title.csv",
        text("Patients of March\nid,name,city\n1,Ann,Troy\n"),
        "title.csv, row 1: the header is more than one row, or a title stands above it",
        "double_header",
    ),
    Broken(
        "title, semicolons.csv",
        text("Patients of March\nid;name;city\n1;Ann, MD;Troy\n2;Bob;Rome\n"),
        "title, semicolons.csv, row 1: the header is more than one row, or a title stands above it",
        "double_header",
    ),
    Broken("old.xls", raw(b"\xd0\xcf\x11\xe0" + bytes(600)), "old.xls: a workbook of the old kind cannot be loaded", "unknown_kind"),
    Broken(
        "same names.csv",
        text("id,name,Name\n1,Ann,Bob\n"),
        "same names.csv, row 1, column C: the column has the name of column B",
        "duplicate_column",
    ),
    Broken("unnamed.csv", text("id,,city\n1,2,3\n"), "unnamed.csv, row 1, column B: the column has no name", "unnamed_column"),
    Broken(
        "wide.csv",
        text(",".join(f"c{n}x" for n in range(1001)) + "\n1\n"),
        "wide.csv, row 1: 1001 columns; at most 1000 are read",
        "too_many_columns",
    ),
    Broken(
        "long name.csv",
        text("id," + "n" * 201 + "\n1,2\n"),
        "long name.csv, row 1, column B: the column's name has more than 200 characters",
        "long_name",
    ),
    Broken(
        "bad name.csv",
        text("id,na\0me\n1,2\n"),
        "bad name.csv, row 1, column B: the column's name has a NUL or broken characters",
        "bad_name",
    ),
    Broken("no kind", raw(_GOOD), "no kind: the name does not tell what kind of file this is", "unknown_kind"),
    Broken("array.json", text('[{"id": 1}]'), "array.json: a JSON document cannot be loaded", "unknown_kind"),
    # packed
    Broken("torn.csv.gz", packed(_GOOD * 2000, _CUT_GZIP), "torn.csv.gz: the gzip file is damaged or cut off", "torn_gzip"),
    Broken(
        "damaged.csv.gz", lambda: bytes(packed(_GOOD)()[:-8]) + bytes(8), "damaged.csv.gz: the gzip file is damaged or cut off", "torn_gzip"
    ),
    Broken("twice.csv.gz", packed(gzip.compress(_GOOD)), "twice.csv.gz: this is packed twice", "no_text"),
    Broken("bomb.csv.gz", packed(b"a,b\n" * (16 << 20)), "bomb.csv.gz: it unpacks to more than 100 times its size", "zip_bomb"),
    Broken("book.xlsx.gz", packed(b"PK"), "book.xlsx.gz: the name does not tell what kind of file this is", "unknown_kind"),
    # workbooks
    Broken("protected.xlsx", protected, "protected.xlsx: the workbook is protected by a password", "password"),
    Broken(
        "old.xlsx",
        raw(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        "old.xlsx: this is a workbook of the old kind (.xls)",
        "old_workbook",
    ),
    Broken("text.xlsx", raw(_GOOD), "text.xlsx: this is no workbook", "no_workbook"),
    Broken("torn.xlsx", book(("id", "name"), ("1", "Ann"), keep=3000), "torn.xlsx: the workbook is damaged or cut off", "torn_workbook"),
    Broken("nested.xlsx", nested, "nested.xlsx: this is an archive, no workbook", "no_workbook"),
    Broken(
        "letter.xlsx",
        lambda: archive({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"}),
        "letter.xlsx: this is a text document, no workbook",
        "no_workbook",
    ),
    Broken("hollow.xlsx", lambda: archive({"[Content_Types].xml": b"<Types/>"}), "hollow.xlsx: the workbook is damaged", "torn_workbook"),
    Broken("bomb.xlsx", lambda: bomb(64 << 20), "bomb.xlsx: it unpacks to more than 100 times its size", "zip_bomb"),
    Broken(
        "lying bomb.xlsx", lambda: bomb(256 << 20, promised=2), "lying bomb.xlsx: it unpacks to more than 100 times its size", "zip_bomb"
    ),
    Broken("overlapping.xlsx", overlapping, "overlapping.xlsx: parts of the archive overlap", "zip_bomb"),
    Broken(
        "many parts.xlsx",
        lambda: archive({"[Content_Types].xml": b""} | {f"p{n}": b"" for n in range(1001)}),
        "many parts.xlsx: the archive has too many parts, or one of them twice",
        "zip_bomb",
    ),
    Broken("entities.xlsx", with_entities, "entities.xlsx: a part of the workbook declares entities", "document_type"),
    Broken("far apart.xlsx", far_apart, "far apart.xlsx: a sheet of more than 20,000,000 cells", "too_many_cells"),
    Broken("no cells.xlsx", book(), "no cells.xlsx: no sheet has a filled cell", "empty_file"),
    Broken(
        "merged header.xlsx",
        book(("Patient", None, "city"), ("1", "Ann", "Troy"), merge="A1:B1"),
        "merged header.xlsx, row 1, column A: cells of the header are merged",
        "double_header",
    ),
    Broken(
        "title.xlsx",
        book(("Patients", None, None), ("id", "name", "city"), ("1", "Ann", "Troy"), merge="A1:C1"),
        "title.xlsx, row 1, column A: cells of the header are merged",
        "double_header",
    ),
    # Parquet and NDJSON
    Broken("torn.parquet", parquet(_WHOLE, keep=200), "torn.parquet: the Parquet file is damaged, cut off or encrypted", "torn_parquet"),
    Broken("text.parquet", raw(_GOOD), "text.parquet: the Parquet file is damaged, cut off or encrypted", "torn_parquet"),
    Broken(
        "nested.parquet",
        parquet(pa.table({"id": ["1"], "of": [{"a": 1}]})),
        "nested.parquet: column 'of' is of type struct<a: int64>",
        "nested_column",
    ),
    Broken("no rows.parquet", parquet(_WHOLE.slice(0, 0)), "no rows.parquet, row 1: there is a header but no rows", "header_only"),
    Broken("array.ndjson", text('[{"id": 1}]\n'), "array.ndjson, row 1: no line is a JSON object with members", "no_objects"),
    # rows of files that are read all the same
    Broken("ragged.csv", text("id,name\n1,Ann\n2\n3,Cy,x\n4,Dee\n5,Eve,\n"), rejects={3: "ragged_row", 4: "ragged_row"}, good=3),
    Broken("nul.csv", text("id,name\n1,Ann\n2,B\0b\n3,Cy\n"), rejects={3: "bad_text"}, good=2),
    Broken("ten megabytes.csv", text("id,name\n1,Ann\n2," + "x" * (10 << 20) + "\n3,Cy\n"), rejects={3: "cell_too_long"}, good=2),
    Broken("open quote.csv", text('id,name\n1,Ann\n2,"Bob\n3,Cy\n4,Dee\n'), rejects={3: _QUOTE}, good=3),
    Broken("quote inside.csv", text('id,name\n1,Ann\n2,"B"ob\n3,Cy\n'), rejects={3: _QUOTE}, good=2),
    Broken(
        "mixed encodings.csv",
        raw(b"id,name\n" + "1,Jürgen Müller äöüß áéíóú\n".encode() * 3 + b"2,J\xfcrgen\n"),
        rejects={5: "bad_text"},
        good=3,
    ),
    Broken(
        "merged rows.xlsx",
        book(("id", "name"), ("1", "Ann"), ("2", "Bob"), ("3", "Cy"), merge="A3:B3"),
        rejects={3: "merged_cells"},
        good=2,
    ),
    Broken(
        "long cell.parquet", parquet(pa.table({"id": ["1", "2"], "name": ["Ann", "x" * 200_000]})), rejects={3: "cell_too_long"}, good=1
    ),
    Broken(
        "odd lines.ndjson",
        text('{"id":"1"}\n{"id":\n[1]\n\n{"id":"2","id":"3"}\n{"id":[{"a":1}]}\n{"id":"\\ud800"}\n{"id":"4"}\n'),
        rejects={2: "no_object", 3: "no_object", 5: "duplicate_name", 6: "nested_value", 7: "bad_text"},
        good=2,
    ),
)
