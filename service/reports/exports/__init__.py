"""A study's results as files: tables for programs, tables and a paragraph for papers."""

from service.reports.exports.confirmed_rows import NotConfirmed
from service.reports.exports.files import csv_of, inert_csv, parquet_of
from service.reports.exports.latex import latex_of
from service.reports.exports.markdown import markdown_of
from service.reports.exports.methods import methods_of
from service.reports.exports.runs import confirmation_table, trial_table
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
from service.reports.exports.text_table import text_table

__all__ = [
    "TABLES",
    "Column",
    "NotConfirmed",
    "Table",
    "TableName",
    "confirmation_table",
    "csv_of",
    "curve_table",
    "detection_table",
    "examination_table",
    "inert_csv",
    "latex_of",
    "markdown_of",
    "methods_of",
    "paper_table",
    "parquet_of",
    "record_table",
    "text_table",
    "trial_table",
]
