"""The report as a page of the dashboard: with a way back, and on to Optuna's view of the same trials."""

from service.reports.markup import element, stylesheet
from service.storage.records import StudyRecord

STYLE = """
.links { display: flex; flex-wrap: wrap; gap: 8px 24px; max-width: 1120px; margin: 0 auto; padding: 16px 20px 0; }
.links a { color: var(--accent); text-decoration: none; }
.links a:hover { text-decoration: underline; }
@media print { .links { display: none; } }
"""


def with_links(report: str, study: StudyRecord) -> str:
    """The report with a line of links above it; its policy allows inline styles and no further script."""
    links = element(
        "nav",
        element("a", "All studies", href="/studies"),
        element("a", "Trials in Optuna", href=f"/dashboard/studies/{study.optuna_study_id}"),
        class_="links",
    )
    return report.replace("<body>", f"<body>{stylesheet(STYLE)}{links}", 1)
