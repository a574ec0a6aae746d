"""What the caller may order of a study, as buttons."""

from starlette.requests import Request

from service.reports.markup import Html
from service.storage.fleet.members import Member
from service.storage.records import StudyRecord


def buttons(request: Request, study: StudyRecord) -> Html | None:
    """The buttons above the pages of the study; None where the caller may order nothing."""
    del request, study
    return None


def drain_button(request: Request, worker: Member) -> Html | None:
    """The button that asks a worker to leave; None where the caller may not, or the worker leaves already."""
    del request, worker
    return None
