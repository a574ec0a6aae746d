"""What a study found out: the ranking of its variants and a page to read, to keep and to print."""

from service.reports.page import html_report
from service.reports.ranking import RankingRow, ranking
from service.reports.records import Record, records_csv, records_table

__all__ = ["RankingRow", "Record", "html_report", "ranking", "records_csv", "records_table"]
