"""Studies: submit, list, show, prioritize, extend, confirm, pause, resume, stop, delete."""

from fastapi import APIRouter, Response

from search_spaces import Confirmation
from service.api.changes import ExtensionIn, PriorityIn
from service.api.dependencies import (
    ChangedPriority,
    DatabaseOf,
    Extension,
    Limit,
    Offset,
    SettingsOf,
    StudyName,
    SubmittedDefinition,
    WantedConfirmation,
    described,
    errors,
)
from service.api.models import StudyDetail, StudyOut, StudyPage
from service.api.records import study_detail, study_out, winner_out
from service.api.report import winner_of
from service.storage import extension, studies

router = APIRouter(prefix="/studies", tags=["studies"])


@router.post("", status_code=201, responses=errors(409, 413))
def submit(definition: SubmittedDefinition, database: DatabaseOf, settings: SettingsOf, response: Response) -> StudyOut:
    """Create the study and its queue of runs, whole or not at all; workers begin at once."""
    study = study_out(studies.create(database, definition), settings.dashboard_url)
    response.headers["Location"] = study.links.self
    return study


@router.get("")
def listing(database: DatabaseOf, settings: SettingsOf, limit: Limit = 100, offset: Offset = 0) -> StudyPage:
    """The studies, the newest first."""
    page = [study_out(study, settings.dashboard_url) for study in studies.page(database, limit, offset)]
    return StudyPage(studies=page, total=studies.count(database))


@router.get("/{name}", responses=errors(404))
def show(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyDetail:
    """State, counts, budget used, best trial so far, the confirmation's winner, and the definition."""
    study = studies.get(database, name)
    named = winner_of(database, study)
    return study_detail(study, settings.dashboard_url, None if named is None else winner_out(*named))


@router.patch("/{name}", responses=errors(404, 413), openapi_extra=described(PriorityIn))
def prioritize(name: StudyName, change: ChangedPriority, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Change the study's priority; it counts from the next run that a worker takes, and no running one is disturbed."""
    return study_out(studies.set_priority(database, name, change.priority), settings.dashboard_url)


@router.post("/{name}/extend", responses=errors(404, 409, 413), openapi_extra=described(ExtensionIn))
def extend(name: StudyName, more: Extension, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Add trials to the budget; a study that has finished is searched again."""
    return study_out(extension.extend(database, name, more.trials), settings.dashboard_url)


@router.post("/{name}/confirmation", responses=errors(404, 409, 413), openapi_extra=described(Confirmation))
def confirm(
    name: StudyName, wanted: WantedConfirmation, database: DatabaseOf, settings: SettingsOf, response: Response
) -> StudyOut:
    """Train the best configurations again under fresh seeds and test them: at once, or when the search has ended."""
    study = study_out(extension.confirm(database, name, wanted), settings.dashboard_url)
    response.headers["Location"] = f"{study.links.self}/confirmation"
    return study


@router.delete("/{name}", status_code=204, responses=errors(404))
def delete(name: StudyName, database: DatabaseOf) -> None:
    """Remove the study with its trials and curves, for good."""
    studies.delete(database, name)


@router.post("/{name}/pause", responses=errors(404, 409))
def pause(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Start no further run; runs that are training go on to their end."""
    return study_out(studies.set_state(database, name, "paused"), settings.dashboard_url)


@router.post("/{name}/resume", responses=errors(404, 409))
def resume(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Start runs of a paused study again."""
    return study_out(studies.set_state(database, name, "running"), settings.dashboard_url)


@router.post("/{name}/stop", responses=errors(404, 409))
def stop(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """End the study for good: waiting runs are cancelled, training ones end at their next epoch."""
    return study_out(studies.set_state(database, name, "stopped"), settings.dashboard_url)
