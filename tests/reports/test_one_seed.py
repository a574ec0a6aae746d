"""A configuration under one seed has no interval: what is unknown is left empty, in every file and on every page."""

import csv
import io
import re

import pyarrow.parquet as pq

from service.api.answers import confirmed_out
from service.cli.confirmed import _cells
from service.reports.exports import (
    confirmation_table,
    csv_of,
    latex_of,
    markdown_of,
    methods_of,
    parquet_of,
    text_table,
)
from service.reports.found.confirmed import confirmation_of
from service.reports.page import html_report
from service.storage.states import StudyState
from tests.reports.deciding import decided
from tests.reports.reading import Page

ONE = decided({"dropout": [0.3], "dropconnect": [0.1]}, [], StudyState.RUNNING)
UNKNOWN = ("test_loss_low", "test_loss_high", "interval", "difference_low", "difference_high", "difference_interval")
NO_FIGURE = re.compile(r"\b(inf|infinite|nan|None)\b|\N{INFINITY}|\N{EN DASH} to ")


def test_the_bounds_are_empty_in_the_tables() -> None:
    table = confirmation_table(ONE)
    rows = list(csv.DictReader(io.StringIO(csv_of(table).decode())))
    assert [[row[name] for name in UNKNOWN] for row in rows] == [[""] * len(UNKNOWN)] * 2
    assert [row["difference"] for row in rows] == ["", "0.19999999999999998"]
    kept = pq.read_table(io.BytesIO(parquet_of(table))).to_pylist()
    assert [[row[name] for name in UNKNOWN] for row in kept] == [[None] * len(UNKNOWN)] * 2


def test_rest_and_the_terminal_have_no_bounds() -> None:
    found = confirmation_of(ONE)
    assert found is not None
    first, second = confirmed_out(found, {})
    assert (first.mean, first.low, first.high, second.difference_low, second.difference_high) == (0.1, *[None] * 4)
    assert _cells(first, frozenset(), 3)[1] == "0.100\n-"


def test_papers_and_the_page_name_no_method_of_intervals_that_there_are_not() -> None:
    written = [
        markdown_of(text_table(ONE)).decode(),
        latex_of(text_table(ONE, whole=False), "tab:one").decode(),
        methods_of(ONE).decode(),
        Page(html_report(ONE)).text,
    ]
    for text in written:
        assert NO_FIGURE.search(text) is None
        assert "Student" not in text
