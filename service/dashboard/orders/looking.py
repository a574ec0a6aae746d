"""What a definition's text says: every problem with its line, or what a submission of it would create."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pernodedrop.near import did_you_mean
from search_spaces import (
    SCALES,
    InvalidDefinition,
    InvalidScale,
    Problem,
    StudyDefinition,
    named_scale,
    parse_definition,
    scaled,
)
from search_spaces.growing import Place, place_of
from search_spaces.narrowing import CannotNarrow
from search_spaces.problems import shown
from search_spaces.task_modules import TaskModules
from search_spaces.variants import variants_of
from search_spaces.yaml_text import NotYaml, read_yaml
from service.reports.words.wording import plural
from service.storage.database.database import Database
from service.storage.errors import StudyExists
from service.web import submissions
from service.web.submissions import Fleet

MOST_NAMED = 12  # variants in a sentence
FULL = "full"  # the scale that leaves nothing out


@dataclass(frozen=True)
class Flaw:
    """A problem of a text, and where it stands there."""

    path: str
    message: str
    place: Place | None = None

    @property
    def told(self) -> str:
        """The message with its line."""
        return self.message if self.place is None else f"line {self.place.line}: {self.message}"


class Flawed(Exception):
    """The text is no definition that could be submitted; `flaws` says why."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(flaws)
        super().__init__(self.flaws)


def definition_of(text: str | bytes, scale: str, modules: TaskModules) -> StudyDefinition:
    """The definition of the text on a scale of `SCALES`. It may take a while: many rules are checked.

    Raises:
        Flawed: the text cannot be read, is no definition, or not one that the operator allows.
    """
    places: dict[str, Place] = {}
    try:
        data = read_yaml(text, places)
    except NotYaml as error:
        message = str(error).partition(": ")[2] if error.place else str(error)
        raise Flawed([Flaw("", message, error.place)]) from None
    if not isinstance(data, dict):
        got = "nothing" if data is None else shown(data)
        raise Flawed([Flaw("", f"the text must be a mapping such as `name: my-study`, got {got}", Place(1, 1))])
    if scale not in SCALES:
        remedy = did_you_mean(scale, SCALES, f"choose one of {', '.join(SCALES)}")
        raise Flawed([Flaw("scale", f"there is no scale {shown(scale)}: {remedy}")])
    try:
        definition = parse_definition(data)
        if scale != FULL:
            definition = scaled(definition, named_scale(scale, definition))
        submissions.check_task(definition, modules)
    except InvalidDefinition as error:
        raise Flawed(flaws_at(error.problems, places)) from None
    except InvalidScale as error:
        raise Flawed([Flaw("scale", str(error))]) from None
    return definition


def flaws_at(problems: Iterable[Problem], places: dict[str, Place]) -> Iterator[Flaw]:
    """The problems with their lines."""
    return (Flaw(problem.path, problem.message, place_of(problem.path, places)) for problem in problems)


def plan(database: Database, definition: StudyDefinition, modules: TaskModules) -> Sequence[str]:
    """Sentences on what a submission would create; nothing is stored.

    Raises:
        Flawed: the database has what keeps the definition from becoming a study.
    """
    try:
        fleet = submissions.check(database, definition, modules)
    except StudyExists as error:
        raise Flawed([Flaw("name", str(error))]) from None
    except InvalidDefinition as error:
        raise Flawed(flaws_at(error.problems, {})) from None
    return list(_sentences(definition, fleet))


def _sentences(definition: StudyDefinition, fleet: Fleet) -> Iterator[str]:
    task = definition.task
    each = f"{plural(task.epochs, 'epoch')}" + (f", {definition.repeats} seeds" if definition.repeats > 1 else "")
    yield f"`{definition.name}` would have {plural(definition.trials, 'trial')} of {task.name}, each of {each}."
    if definition.budget.epochs is not None:
        yield f"It would spend at most {definition.budget.epochs:,} epochs on all of them, and may begin fewer."
    searched = ", ".join(definition.search_space) or "nothing"
    yield f"It would search {searched} by {definition.sampler.name}, pruned by {definition.pruner.name}."
    try:
        names = list(variants_of(definition.search_space, definition.fixed))
    except CannotNarrow:
        names = []
    if len(names) > 1:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield f"It would compare {len(names)} variants: {', '.join(names[:MOST_NAMED])}{more}."
    confirmation = definition.confirmation
    if confirmation is not None:
        seeds = (
            f"until it is decided, under at most {confirmation.most_repeats} fresh seeds"
            if confirmation.is_decided
            else f"under {confirmation.repeats} fresh seeds"
        )
        which = "configuration" if confirmation.top == 1 else f"{confirmation.top} configurations"
        yield f"Then the best {which} of each variant would be trained again, {seeds}, and tested."
    if task.is_external:
        yield "Your own loop would train it."
    elif fleet.workers:
        yield f"{plural(fleet.workers, 'worker')} would serve it."
    else:
        yield "No worker is alive: it would wait for one."
    yield from (f"{sentence}." for sentence in fleet.advice(definition))
