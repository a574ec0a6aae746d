"""The one configuration that a study recommends: of the confirmation, never of the search alone."""

from service.reports.found.confirmed import Confirmation, Confirmed
from service.storage.records import StudyRecord
from service.storage.states import StudyState


def recommended_of(study: StudyRecord, confirmation: Confirmation) -> Confirmed | None:
    """The confirmation's winner, or its first configuration where nothing is decided.

    None before it has ended, and where no configuration is left: what looks have dropped is not recommended.
    """
    if study.state is not StudyState.COMPLETE or not confirmation.left:
        return None
    named = None if study.winner is None else study.winner.run_id
    return next((one for one in confirmation.found if one.trial.run_id == named), confirmation.winner)
