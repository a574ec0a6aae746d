"""Submissions: what is checked before a study is created, and what is said of it. The API and the pages ask here."""

from dataclasses import dataclass
from importlib.util import find_spec

from search_spaces import InvalidDefinition, StudyDefinition
from search_spaces.problems import Problem, shown
from search_spaces.task_modules import TaskModules
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import StudyRecord
from service.storage.studies import checking, studies
from service.web.advice import advice


@dataclass(frozen=True)
class Fleet:
    """The workers that serve every study."""

    devices: tuple[str, ...]  # each worker's, as its row names it

    @property
    def workers(self) -> int:
        return len(self.devices)

    @classmethod
    def of(cls, database: Database) -> "Fleet":
        """Those that are alive now."""
        return cls(tuple(worker.device for worker in workers.alive(database) if worker.serves is None))

    def advice(self, definition: StudyDefinition) -> list[str]:
        """Sentences on what the definition means for these workers."""
        return list(advice(definition, self.devices))


def check_task(definition: StudyDefinition, modules: TaskModules) -> None:
    """Return if the service may train the definition's task.

    Raises:
        InvalidDefinition: its module is not allowed, or an own loop's sampler cannot be run here.
    """
    refusal = modules.refusal(definition.task.name)
    if refusal is not None:
        raise InvalidDefinition([Problem.at("task.name", refusal)])
    package = definition.sampler.package
    if definition.task.is_external and package is not None and find_spec(package) is None:
        rule = f"must be another one: trials of an own loop are drawn here, where {package} is not installed"
        raise InvalidDefinition([Problem.at("sampler.name", f"{rule}, got {shown(definition.sampler.name)}")])


def create(database: Database, definition: StudyDefinition) -> tuple[StudyRecord, Fleet]:
    """Create the study and return it with the fleet that will serve it.

    Raises:
        StudyExists, InvalidDefinition: see `studies.create`.
    """
    return studies.create(database, definition), Fleet.of(database)


def check(database: Database, definition: StudyDefinition, modules: TaskModules) -> Fleet:
    """Raise what a submission of this definition would raise, and store nothing; return the fleet that would serve it.

    Raises:
        InvalidDefinition: see `check_task`, or `definition.start_from` is no study whose trials it could take.
        StudyExists: the name is taken.
    """
    check_task(definition, modules)
    checking.check(database, definition)
    return Fleet.of(database)
