"""A study's results: the ranking of its variants, a page to read and keep, tables and figures to export."""

from pernodedrop.installation import need

need("service.reports", "service", "scipy", "plotly")

from service.reports.found.ranking import RankingRow, ranking
from service.reports.found.records import Record, records_table
from service.reports.found.results import Results
from service.reports.page import html_report, report_body

__all__ = ["RankingRow", "Record", "Results", "html_report", "ranking", "records_table", "report_body"]
