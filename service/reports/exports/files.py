"""Tables as files: comma-separated values, and Apache Parquet."""

import csv
import io
import re

from pernodedrop.installation import MissingPackage
from service.reports.exports.table import Table

# Apostrophes before it count, so that a reader who takes one away from such a cell always has the text.
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def csv_of(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with a header; floats in full, an empty field where a value is missing.

    A spreadsheet would compute a text that begins like a formula, so an apostrophe before it says that it is text.
    """
    written = _Rows()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(map(_inert, table))
    columns = (map(_inert, column.values) if column.kind == "text" else column.values for column in table.values())
    writer.writerows(zip(*columns, strict=True))
    return written.getvalue().encode()


class _Rows(io.StringIO):
    """Ends rows with a newline; a writer that did so itself would not quote a carriage return in a text."""

    def write(self, row: str) -> int:
        return super().write(f"{row.removesuffix(chr(13) + chr(10))}\n")


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
    columns = {name: pa.array(column.values, types[column.kind]) for name, column in table.items()}
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd")
    return written.getvalue()
