"""What the caller may order of a study, as buttons."""

from starlette.requests import Request

from service.reports.markup import Html
from service.storage.records import StudyRecord, TrialRecord


def buttons(request: Request, study: StudyRecord) -> Html | None:
    """The buttons above the pages of the study; None where the caller may order nothing."""
    del request, study
    return None


def trial_buttons(request: Request, study: StudyRecord, trial: TrialRecord) -> Html | None:
    """The buttons on the page of one run of the study; None where the caller may order nothing."""
    del request, study, trial
    return None
