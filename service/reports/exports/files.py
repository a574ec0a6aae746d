"""Tables as files: comma-separated values, and Apache Parquet."""

import csv
import io

from pernodedrop.installation import MissingPackage
from service.reports.exports.table import Table


def csv_of(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with a header; floats in full, an empty field where a value is missing."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column.values for column in table.values()), strict=True))
    return written.getvalue().encode()


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
