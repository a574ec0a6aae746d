"""Studies: submit, list, show, change, extend, confirm, pause, resume, stop, delete."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from search_spaces import Confirmation, StudyDefinition, parse_definition
from search_spaces.shape import DESCRIPTION_PATTERN, TAG_PATTERN
from service.api.answers import with_answer, with_task_code
from service.api.dependencies import (
    CreationsOf,
    DatabaseOf,
    Limit,
    Offset,
    SettingsOf,
    StudyName,
)
from service.api.errors import documented
from service.api.models import Planned, Retried, StudyDetail, StudyOut, StudyPage, Submitted
from service.api.openapi import DEFINITION_CONTENT
from service.api.records import retried, study_detail, study_out, submitted, winner_out
from service.storage.states import StudyState
from service.storage.studies import extension, finding, provenances, retrying, studies
from service.storage.studies.finding import LONGEST_TEXT
from service.web import submissions
from service.web.access import caller_of, check_task
from service.web.bodies import Body, BodyRoute, JsonBody
from service.web.orders import ChangeIn, ExtensionIn, RetryIn
from service.web.report import confirmation_so_far, winner_of
from service.web.weights import weights_digests

router = APIRouter(prefix="/studies", tags=["studies"], route_class=BodyRoute)


SubmittedDefinition = Annotated[StudyDefinition, Depends(JsonBody(parse_definition, DEFINITION_CONTENT))]


TagOf = Annotated[
    str | None, Query(pattern=TAG_PATTERN, description="The page has only studies with this tag.", examples=["paper"])
]

TextOf = Annotated[
    str | None,
    Query(
        max_length=LONGEST_TEXT,
        pattern=DESCRIPTION_PATTERN,
        description="The page has only studies with this text in name, description or note, in any case.",
        examples=["digits"],
    ),
]
StateOf = Annotated[StudyState | None, Query(description="The page has only studies in this state.")]


@router.post("", status_code=201, responses=documented(408, 409, 413))
async def submit(
    definition: SubmittedDefinition,
    creations: CreationsOf,
    settings: SettingsOf,
    request: Request,
    response: Response,
) -> Submitted:
    """Create the study and its queue of runs, as a whole or not at all; workers begin at once."""
    check_task(caller_of(request), definition.task.name)
    submissions.check_task(definition, settings.task_modules)
    created, fleet = await creations.run(submissions.create, definition)
    study = submitted(created, settings, fleet.advice(definition))
    response.headers["Location"] = f"studies/{study.name}"  # relative: a proxy may serve us under a path
    return study


@router.post("/check", responses=documented(408, 409, 413))
def check(definition: SubmittedDefinition, database: DatabaseOf, settings: SettingsOf, request: Request) -> Planned:
    """Validate a definition as a submission does, and say what would be created; nothing is stored."""
    check_task(caller_of(request), definition.task.name)
    fleet = submissions.check(database, definition, settings.task_modules)
    whole = definition.model_dump(mode="json")
    return Planned(name=definition.name, trials=definition.trials, advice=fleet.advice(definition), definition=whole)


@router.get("")
def listing(
    database: DatabaseOf,
    settings: SettingsOf,
    limit: Limit = 100,
    offset: Offset = 0,
    *,
    tag: TagOf = None,
    text: TextOf = None,
    state: StateOf = None,
) -> StudyPage:
    """List the studies, or those with a text, a tag, a state, the newest first."""
    sought = finding.Sought(text or "", () if tag is None else (tag,), state)
    page = [study_out(study, settings) for study in finding.page(database, sought, limit, offset)]
    return StudyPage(studies=page, total=finding.count(database, sought))


@router.get("/{name}", responses=documented(404))
def show(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyDetail:
    """Show state, counts, used budget, the search's best, the recommended configuration, and the definition."""
    study = studies.get(database, name)
    named = winner_of(database, study)
    winner = None if named is None else winner_out(*named)
    detail = study_detail(study, settings, winner, confirmation_so_far(database, study))
    digests = {} if named is None else weights_digests(database, study)
    answered = with_answer(detail, study, None if named is None else named[0], digests)
    task = study.definition.task
    return answered if task.is_built_in else with_task_code(answered, provenances.codes_of(database, study.id))


@router.patch("/{name}", responses=documented(404, 408, 413))
def change(name: StudyName, wanted: Body[ChangeIn], database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Change the study's priority, its tags or its note.

    A priority counts from the next run that a worker takes, and running ones continue.
    """
    return study_out(studies.amend(database, name, **wanted.columns()), settings)


@router.post("/{name}/extend", responses=documented(404, 408, 409, 413))
async def extend(name: StudyName, more: Body[ExtensionIn], creations: CreationsOf, settings: SettingsOf) -> StudyOut:
    """Add trials to the budget; a study that has finished is searched again."""
    return study_out(await creations.run(extension.extend, name, more.trials, seen=more.seen), settings)


@router.post("/{name}/retry", responses=documented(404, 408, 409, 413))
async def retry(name: StudyName, which: Body[RetryIn], creations: CreationsOf, settings: SettingsOf) -> Retried:
    """Let failed runs wait again with the configurations that they had; a study that has ended runs again.

    The budget stays as it is: a run that is tried again is the same run of it.
    """
    study, runs = await creations.run(retrying.retry, name, which.trials)
    return retried(study, settings, runs)


@router.post("/{name}/confirmation", responses=documented(404, 408, 409, 413))
async def confirm(
    name: StudyName, wanted: Body[Confirmation], creations: CreationsOf, settings: SettingsOf, response: Response
) -> StudyOut:
    """Train the best configurations again under fresh seeds and test them, at once or when the search has ended.

    What is sent again with more seeds, a larger top or until decided adds to the confirmation.
    """
    study = study_out(await creations.run(extension.confirm, name, wanted), settings)
    response.headers["Location"] = "confirmation"
    return study


@router.delete("/{name}", status_code=204, responses=documented(404))
def delete(name: StudyName, database: DatabaseOf) -> None:
    """Remove the study with its trials and curves for good."""
    studies.delete(database, name)


@router.post("/{name}/pause", responses=documented(404, 409))
def pause(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Start no further run; runs in training continue to their end."""
    return study_out(studies.set_state(database, name, "paused"), settings)


@router.post("/{name}/resume", responses=documented(404, 409))
def resume(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """Start runs of a paused study again."""
    return study_out(studies.set_state(database, name, "running"), settings)


@router.post("/{name}/stop", responses=documented(404, 409))
def stop(name: StudyName, database: DatabaseOf, settings: SettingsOf) -> StudyOut:
    """End the study for good: waiting and paused runs are cancelled, and runs in training end at their next epoch."""
    return study_out(studies.set_state(database, name, "stopped"), settings)
