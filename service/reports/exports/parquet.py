"""Tables as Apache Parquet: typed, compressed, a few bytes an epoch."""

import io

from pernodedrop.installation import MissingPackage
from service.reports.exports.table import Table


def parquet_of(table: Table) -> bytes:
    """One Parquet file, compressed by zstandard.

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
