"""Orders that give a study more work."""

from collections.abc import Mapping
from functools import partial

from search_spaces import Confirmation
from search_spaces.budget import MOST_TRIALS
from search_spaces.confirmation import OF_DECIDED
from search_spaces.core_schema import resolved
from service.dashboard.orders.order import Field, Order, bounds_of, whole
from service.reports.words.wording import plural
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import OPEN_STATES, RunState, StudyState
from service.storage.studies import extension, retrying
from service.web.broken import checked
from service.web.forms import Form
from service.web.orders import ExtensionIn, RetryIn

SEEN = "seen"  # the budget that stood on the page


def _is_confirmed_now(study: StudyRecord) -> bool:
    return study.finished_at is None and any(study.confirmation[state] for state in OPEN_STATES)


def _can_be_extended(study: StudyRecord) -> bool:
    is_whole = study.definition.sampler.name == "grid" or study.definition.trials >= MOST_TRIALS
    return not (study.state == StudyState.STOPPED or study.closing or is_whole or _is_confirmed_now(study))


def _extend(database: Database, about: Mapping[str, str], form: Form) -> str:
    more = checked(ExtensionIn, {"trials": whole(form["trials"])})
    seen = whole(form[SEEN])
    study = extension.extend(database, about["name"], more.trials, seen=seen if isinstance(seen, int) else None)
    return f"Extended by {plural(more.trials, 'trial')}, to {study.definition.trials} in all."


def _can_be_confirmed(study: StudyRecord) -> bool:
    if study.state == StudyState.STOPPED or len(study.definition.objectives) > 1:
        return False
    return study.finished_at is None or study.counts[RunState.COMPLETE] > 0


def _confirm(database: Database, about: Mapping[str, str], form: Form) -> str:
    asked = {name: _typed(form[name]) for name in Confirmation.model_fields if form[name].strip()}
    if asked.get("until") != "decided":
        asked = {name: value for name, value in asked.items() if name not in OF_DECIDED}
    study = extension.confirm(database, about["name"], checked(Confirmation, asked))
    waiting = study.confirmation[RunState.WAITING]
    if study.finished_at is None and waiting == 0:
        return "It will be confirmed when the present runs have ended."
    return f"It is being confirmed: {_wait(waiting, 'run')}." if waiting else "The confirmation is judged anew."


def _wait(count: int, what: str) -> str:
    return f"{plural(count, what)} {'waits' if count == 1 else 'wait'}"


def _typed(text: str) -> object:
    """What was typed, as a definition reads it."""
    try:
        return resolved(text.strip())
    except ValueError:
        return text.strip()


def _now(name: str, study: StudyRecord) -> str:
    """What the study's confirmation has, or the default."""
    return f"{getattr(study.definition.confirmation or Confirmation(), name):g}"


def _number(name: str, label: str) -> Field[StudyRecord]:
    """A whole number of the confirmation."""
    return Field(name, label, partial(_now, name), kind="number", bounds=bounds_of(Confirmation, name))


def _retry(database: Database, about: Mapping[str, str], form: Form) -> str:
    which = checked(RetryIn, {})
    _, runs = retrying.retry(database, about["name"], which.trials)
    return f"{_wait(runs, 'failed run')} again, each with its configuration."


def _failed(study: StudyRecord) -> bool:
    failed = study.confirmation[RunState.FAILED] + (0 if _is_confirmed_now(study) else study.counts[RunState.FAILED])
    return study.state != StudyState.STOPPED and failed > 0


EXTEND = Order[StudyRecord](
    "extend",
    "Extend",
    "The search gets further trials; one that has finished is searched again.",
    _can_be_extended,
    _extend,
    starts_runs=True,
    fields=(
        Field("trials", "Further trials", lambda _: "10", kind="number", bounds=bounds_of(ExtensionIn, "trials")),
        Field(SEEN, "", lambda study: str(study.definition.trials), kind="hidden"),
    ),
)
CONFIRM = Order[StudyRecord](
    "confirm",
    "Confirm",
    "The best configurations of every variant are trained again under fresh seeds and tested. Ask again to add more; "
    "nothing can be taken away.",
    _can_be_confirmed,
    _confirm,
    starts_runs=True,
    fields=(
        _number("top", "Configurations of each variant"),
        _number("repeats", "Fresh seeds for each"),
        Field(
            "until",
            "It ends",
            lambda study: (study.definition.confirmation or Confirmation()).until,
            choices=(("fixed", "after these seeds"), ("decided", "when it is decided")),
        ),
        _number("most_repeats", "Most seeds, until decided"),
        Field(
            "indifference",
            "Practically equal, until decided",
            lambda study: _now("indifference", study),
            "Means that differ by no more than this are equal, in the metric's unit.",
            kind="text",
            bounds={"inputmode": "decimal"},
        ),
    ),
)
RETRY = Order[StudyRecord](
    "retry",
    "Retry",
    "All failed runs wait again, with the configurations that they had.",
    _failed,
    _retry,
    starts_runs=True,
)
