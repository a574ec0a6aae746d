"""Tables as comma-separated values."""

import csv
import io

from service.reports.exports.table import Table


def csv_of(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with a header; floats in full, nothing where there is nothing."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column.values for column in table.values()), strict=True))
    return written.getvalue().encode()
