"""Orders on what people keep of a study: tags, a note, a priority, or nothing."""

from collections.abc import Mapping

from search_spaces import InvalidDefinition
from search_spaces.problems import Problem, shown
from service.dashboard.orders.order import Field, Order, bounds_of, whole
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from service.web.access import Role
from service.web.broken import checked
from service.web.forms import Form
from service.web.orders import MOST_TAGS, ChangeIn


def _note(database: Database, about: Mapping[str, str], form: Form) -> str:
    tags = form["tags"].replace(",", " ").split()
    wanted = checked(ChangeIn, {"tags": tags, "note": form["note"].replace("\r\n", "\n").strip()})
    studies.amend(database, about["name"], **wanted.columns())
    return "Tags and note are kept."


def _prioritize(database: Database, about: Mapping[str, str], form: Form) -> str:
    wanted = checked(ChangeIn, {"priority": whole(form["priority"])})
    studies.amend(database, about["name"], **wanted.columns())
    return f"The priority is {wanted.priority} from the next run on."


def _delete(database: Database, about: Mapping[str, str], form: Form) -> str:
    name, typed = about["name"], form["typed"].strip()
    if typed != name:
        studies.get(database, name)
        raise InvalidDefinition([Problem.at("typed", f"must be the study's name, {name}, got {shown(typed)}")])
    studies.delete(database, name)
    return f"Study {name} is deleted, and its name is free."


NOTE = Order[StudyRecord](
    "note",
    "Tag and note",
    "People find the study by its tags, and read its note on the pages and in the report.",
    lambda _: True,
    _note,
    fields=(
        Field(
            "tags",
            "Tags",
            lambda study: ", ".join(study.tags),
            f"Words between commas or spaces, at most {MOST_TAGS}.",
        ),
        Field("note", "Note", lambda study: study.note, kind="area", bounds=bounds_of(ChangeIn, "note")),
    ),
)
PRIORITIZE = Order[StudyRecord](
    "prioritize",
    "Priority",
    "Workers serve the study with the highest priority first, from the next run on.",
    lambda study: study.finished_at is None,
    _prioritize,
    fields=(
        Field(
            "priority",
            "Priority",
            lambda study: str(study.priority),
            kind="number",
            bounds=bounds_of(ChangeIn, "priority"),
        ),
    ),
)
DELETE = Order[StudyRecord](
    "delete",
    "Delete",
    "The study is removed with its trials, curves and logs, for good.",
    lambda _: True,
    _delete,
    role=Role.ADMIN,
    fields=(Field("typed", "Type the study's name"),),
    takes_away=True,
    leads_to="studies",
)
