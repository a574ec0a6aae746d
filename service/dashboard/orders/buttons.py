"""What the caller may order of a study, as buttons."""

from starlette.requests import Request

from service.reports.markup import Html
from service.storage.records import StudyRecord


def buttons(request: Request, study: StudyRecord) -> Html | None:
    """The buttons above the pages of the study; None where the caller may order nothing."""
    del request, study
    return None
