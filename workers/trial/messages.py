"""The messages between an agent and its trial process.

Orders are pickled, by an agent that is trusted. Reports come from a process that has run a user's code: they are read
as plain data, field by field, and belong to the run and the token that their order had.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

from search_spaces import Evaluation, Objective, StudyShape, TaskSpec, TrialConfig
from service.storage.artifacts import DIGEST, ArtifactRoot
from service.storage.assignments.progress import EpochDone
from service.storage.provenance import MOST_FACTS, MOST_GROUPS, Provenance, checked
from service.storage.records import Examination, Weights
from service.storage.states import storable
from workers.trial.channel import Message
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.devices import OpenDevice, Reading
from workers.trial.examined import INPUTS, heard, told

log = logging.getLogger(__name__)

LONGEST_FACT_NAME = 60  # characters
MOST_FLAWS, LONGEST_FLAW = 5, 60  # of what cannot be kept, in the log: how many, and their characters
LONGEST_SAID = 2**18  # characters of a failure that are searched for secrets: more than what is kept of it


@dataclass(frozen=True, kw_only=True)
class Order:
    """Train this: the only message that starts a trial."""

    task: TaskSpec
    config: TrialConfig
    study_seed: int
    repeats: int
    first_seed: int = 0  # of the study's seeds, for the first repeat
    tested_by: Objective | None = None  # test the model where this improves
    splits_anew: bool = False  # every repeat has a validation split of its own
    folds: int | None = None  # seed n of the study tests on fold n modulo so many
    kept_by: Objective | None = None  # keep the weights of each repeat's best epoch by it; None: keep none
    artifacts: ArtifactRoot | None = None  # where; None: nowhere, which the reports say
    evaluation: Evaluation | None = None  # examine the best model of each repeat; untested ones: see that one could
    data_folder: Path
    run_id: int = 0
    token: int = 0
    checkpoints: CheckpointRoot | None = None  # None: a lost trial starts again
    checkpoint_every: float = 30.0  # s
    rungs: tuple[int, ...] = ()  # after these epochs the trial waits for a word whether it goes on

    @classmethod
    def of_study(cls, definition: StudyShape, config: TrialConfig, seeds: range, **parts: Any) -> Self:
        """The order to train a configuration of the study under these of its seeds; `parts` are the other fields."""
        of_study: dict[str, Any] = {
            "task": definition.task,
            "study_seed": definition.seed,
            "splits_anew": definition.splits_anew,
            "folds": definition.folds,
        }
        return cls(config=config, first_seed=seeds.start, repeats=len(seeds), **of_study, **parts)

    @property
    def address(self) -> tuple[int, int]:
        """What every report on this order bears."""
        return self.run_id, self.token


@dataclass(frozen=True)
class Setup:
    """What a slot's trials run on.

    `device` is cpu, cuda:N or auto:N, the N-th GPU if torch can use one, else the CPU.
    """

    device: str
    threads: int
    open_device: OpenDevice


@dataclass(frozen=True)
class Ready:
    """The device can be used; `keeper` is the process that says so."""

    device: str
    keeper: int


@dataclass(frozen=True)
class Unready:
    """The device cannot be used, and the processes end."""

    reason: str
    out_of_memory: bool  # it may be usable once other processes hold less


@dataclass(frozen=True)
class Gone:
    """The process that trained order `number` has ended, with all that it started; a `status` below 0 is a signal."""

    number: int
    status: int


@dataclass(frozen=True)
class Stop:
    """End the trial after the current epoch."""

    keep: bool = False  # write a checkpoint first: another worker will resume


@dataclass(frozen=True)
class GoOn:
    """Train on from the rung after this epoch."""

    epoch: int


@dataclass(frozen=True)
class Started:
    """Data and model are ready; `facts` name the backend, the parameter count and more."""

    facts: Mapping[str, str | int | float]
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True)
class Examining:
    """The best model of a repeat begins to be examined on these inputs, which may take a while."""

    repeat: int  # from 0
    inputs: str


@dataclass(frozen=True)
class Examined:
    """What the best model of a repeat says of one set of inputs."""

    examination: Examination


@dataclass(frozen=True)
class Kept:
    """The weights of a repeat's best epoch are written, or why not."""

    weights: Weights


@dataclass(frozen=True)
class Finished:
    """Every epoch of every repeat is done, every examination, and what is kept is written."""


@dataclass(frozen=True)
class Stopped:
    """The trial ended because of a `Stop`."""


@dataclass(frozen=True)
class Failed:
    """The trial raised; `reason` is one line, `traceback` for the log."""

    reason: str
    traceback: str
    out_of_memory: bool  # the process must not be used again


Report = Started | EpochDone | Examining | Examined | Kept | Finished | Stopped | Failed


def packed(report: Report | Reading | Stop | GoOn, order: Order) -> Message:
    """The report, or a word to the trial, as plain data that bear the order's run and token."""
    fields = {"examination": told(report.examination)} if isinstance(report, Examined) else asdict(report)
    return {"kind": type(report).__name__, "order": order.address, **fields}


def unpacked(message: Message, order: Order) -> Report | Reading | Stop | GoOn | None:
    """What `packed` has packed; None for anything else, and for what another order's trial says."""
    read = _READERS.get(str(message.get("kind")))
    if read is None or message.get("order") != list(order.address):
        return None
    try:
        return read(message)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)


def _started(message: Message) -> Started:
    """The message without what cannot be kept of it, which the log names: the rest is worth having."""
    facts, passed_over = _facts(message["facts"])
    provenance: dict[str, Mapping[str, str | int]] = {}
    groups = message["provenance"]
    if len(groups) > MOST_GROUPS:
        passed_over.append(f"it has {len(groups)} groups of provenance, of which the first {MOST_GROUPS} are looked at")
    for group, found in islice(groups.items(), MOST_GROUPS):
        try:
            provenance |= checked({group: found})
        except ValueError as error:
            passed_over.append(str(error)[:LONGEST_FLAW])
    if passed_over:
        more = len(passed_over) - MOST_FLAWS
        said = "; ".join(passed_over[:MOST_FLAWS]) + (f"; and {more} more" if more > 0 else "")
        log.warning("run %d: what its trial says of itself is kept in part: %s", message["order"][0], said)
    return Started(facts, provenance)


def _facts(told: Mapping[Any, Any]) -> tuple[dict[str, str | int | float], list[str]]:
    """Facts as the database and the lists of trials bear them, few, short, and numbers that are some; and what is wrong
    with the others."""
    facts: dict[str, str | int | float] = {}
    flaws: list[str] = []
    for said, value in told.items():
        name = storable(str(said))[:LONGEST_FACT_NAME]
        try:
            if len(facts) == MOST_FACTS:
                flaws.append(f"it has {len(told)} facts, of which the first {MOST_FACTS} are kept")
                break
            facts[name] = _fact(value)
        except ValueError:
            flaws.append(f"fact {name} must be a text or a finite number below 2**63, got {str(value)[:LONGEST_FLAW]}")
    return facts, flaws


def _fact(value: Any) -> str | int | float:
    if isinstance(value, str):
        return storable(value)
    if not isinstance(value, int | float) or not abs(value) < 2**63:
        raise ValueError("no fact")
    return value


def _examining(message: Message) -> Examining:
    inputs = str(message["inputs"])
    if not INPUTS.fullmatch(inputs):
        raise ValueError("no name of a set")
    return Examining(int(message["repeat"]), inputs)


def _weights(told: Any, run_id: int) -> Weights:
    digest, reason = told["digest"], told["reason"]
    if (digest is None) == (reason is None) or not (digest is None or DIGEST.fullmatch(digest)):
        raise ValueError("no weights")
    said = None if reason is None else storable(str(reason))
    size = int(told["size"])
    if not 0 <= size < 2**63:
        raise ValueError("no size")
    return Weights(run_id, int(told["repeat"]), int(told["epoch"]), digest, size, said)


def _reading(message: Message) -> Reading:
    used = message["utilisation"]
    total, free, held, peak = (int(message[name]) for name in ("total", "free", "held", "peak"))
    return Reading(total, free, held, peak, None if used is None else _number(used))


_READERS: Mapping[str, Callable[[Message], Report | Reading | Stop | GoOn]] = {
    "Started": _started,
    "EpochDone": lambda m: EpochDone(
        int(m["repeat"]), int(m["epoch"]), {str(name): _number(value) for name, value in m["metrics"].items()}
    ),
    "Examining": _examining,
    "Kept": lambda m: Kept(_weights(m["weights"], m["order"][0])),
    "Examined": lambda m: Examined(heard(m["examination"], m["order"][0])),
    "Finished": lambda _: Finished(),
    "Stopped": lambda _: Stopped(),
    "Failed": lambda m: Failed(
        str(m["reason"])[:LONGEST_SAID], str(m["traceback"])[-LONGEST_SAID:], bool(m["out_of_memory"])
    ),
    "Reading": _reading,
    "Stop": lambda m: Stop(bool(m["keep"])),
    "GoOn": lambda m: GoOn(int(m["epoch"])),
}
