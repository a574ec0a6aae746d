"""Tables as files: comma-separated values, and Apache Parquet."""

import csv
import io
import re

from pernodedrop.installation import MissingPackage
from service.reports.exports.table import Table

# Apostrophes before it count, so that a reader who takes one away from such a cell always has the text.
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
CRLF = "\r\n"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def csv_of(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with a header; floats in full, an empty field where a value is missing.

    A spreadsheet would compute a text that begins like a formula, so an apostrophe before it says that it is text.
    """
    written = _Rows()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(map(_inert, table))
    for piece in zip(*(column.pieces() for column in table.values()), strict=True):
        cells = (
            map(_inert, rows) if column.kind == "text" else rows
            for column, rows in zip(table.values(), piece, strict=True)
        )
        writer.writerows(zip(*cells, strict=True))
    return written.content.getvalue()


def inert_csv(content: str) -> str:
    """Comma-separated values that another program has written, with texts that are no formulas, as `csv_of` has them.

    Raises:
        csv.Error: it is none.
    """
    written = io.StringIO()
    csv.writer(written).writerows(
        [_inert(cell) for cell in row] for row in csv.reader(io.StringIO(content, newline=""))
    )
    return written.getvalue()


class _Rows:
    """Ends rows with a newline; a writer that did so itself would not quote a carriage return in a text."""

    def __init__(self) -> None:
        self.content = io.BytesIO()

    def write(self, row: str) -> int:
        return self.content.write(f"{row.removesuffix(CRLF)}\n".encode())


def _inert(text: str | None) -> str | None:
    if text is None or not FORMULA.match(text) or NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def parquet_of(table: Table) -> bytes:
    """Apache Parquet, typed and compressed by zstandard: a few bytes an epoch.

    Raises:
        MissingPackage: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPackage("Parquet", "pyarrow", "export") from error
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    columns = {
        name: pa.chunked_array([pa.array(rows, types[column.kind]) for rows in column.pieces()], types[column.kind])
        for name, column in table.items()
    }
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd")
    return written.getvalue()
