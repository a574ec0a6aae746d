"""A study's results as files: tables for programs, figures for papers."""

from service.reports.exports.files import csv_of, parquet_of
from service.reports.exports.table import Column, Table
from service.reports.exports.tables import (
    TABLES,
    TableName,
    curve_table,
    detection_table,
    examination_table,
    paper_table,
    record_table,
)

__all__ = [
    "TABLES",
    "Column",
    "Table",
    "TableName",
    "csv_of",
    "curve_table",
    "detection_table",
    "examination_table",
    "paper_table",
    "parquet_of",
    "record_table",
]
