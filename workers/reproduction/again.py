"""Trains a run of a capsule again, in the isolated process that a worker has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from search_spaces import StudyShape, TrialConfig
from search_spaces.objective import with_objectives
from service.storage.assignments.progress import EpochDone
from service.storage.capsule import Capsule, CapsuleRun
from service.storage.capsule.content import Figures
from service.storage.provenance import HARDWARE, RUN, Difference, Provenance, differences
from service.storage.states import Stage
from workers.reproduction.comparison import comparable, deviations
from workers.trial.messages import Failed, Finished, Order, Started, Stopped
from workers.trial.process import TrialProcess, TrialProcessDied

LISTEN_S = 0.5  # s
MOST_THREADS = 256  # whatever a capsule says

Heard = Callable[[EpochDone], None]


@dataclass(frozen=True)
class Recorded:
    """A run of a study as its capsule has it."""

    definition: StudyShape
    run: CapsuleRun
    origin: Provenance | None  # where it comes from; None where that was not recorded
    figures: Figures  # all that can be compared

    @classmethod
    def of(cls, capsule: Capsule, run: CapsuleRun, figures: Figures) -> Self:
        return cls(capsule.definition, run, capsule.provenance_of(run), comparable(figures))

    @property
    def epochs(self) -> list[tuple[int, int]]:
        """The epochs, each with its repeat before it, in the order of the training."""
        return sorted({key[:2] for key in self.figures})


@dataclass
class Trained:
    """What a training here has measured, up to the run's last recorded epoch, or up to where it failed."""

    figures: Figures = field(default_factory=dict)
    provenance: Provenance = field(default_factory=dict)
    failure: str | None = None


class Bench:
    """Trains one run after another; the trial process stays as long as device and threads are the same."""

    def __init__(self, data_folder: Path, device: str | None = None) -> None:
        self._data_folder, self._device = data_folder, device
        self._process: TrialProcess | None = None
        self._made_for: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._end()

    def train(self, recorded: Recorded, heard: Heard = lambda _: None) -> Trained:
        """Train the run as its worker did. On the same hardware it ends with the first epoch that differs."""
        trained = Trained()
        try:
            process = self._for(recorded)
            process.order(order_of(recorded, self._data_folder))
            self._follow(process, recorded, trained, heard)
        except TrialProcessDied as death:
            trained.failure = str(death)
            self._end()
        return trained

    def _follow(self, process: TrialProcess, recorded: Recorded, trained: Trained, heard: Heard) -> None:
        last = max(recorded.epochs, default=(0, 0))
        while True:
            match process.listen(LISTEN_S):
                case Started(_, provenance):
                    trained.provenance = provenance
                case EpochDone() as done if (done.repeat, done.epoch) > last:
                    pass  # it was under way when the training was stopped
                case EpochDone() as done:
                    metrics = with_objectives(done.metrics, recorded.definition.objectives)
                    epoch = comparable({(done.repeat, done.epoch, name): value for name, value in metrics.items()})
                    trained.figures |= epoch
                    heard(done)
                    now = (done.repeat, done.epoch)
                    then = {key: value for key, value in recorded.figures.items() if key[:2] == now}
                    differs = not other_hardware(recorded.origin, trained.provenance) and deviations(then, epoch)
                    if differs or now >= last:
                        process.stop(keep=False)
                case Failed(reason, _, _):
                    trained.failure = reason
                    return
                case Finished() | Stopped():
                    return

    def _for(self, recorded: Recorded) -> TrialProcess:
        """A process on the kind of device that trained the run, with as many threads."""
        place = {} if recorded.origin is None else recorded.origin.get(RUN, {})
        facts = recorded.run.facts
        was_cpu = place.get("device", facts.get("device", "cpu")) == "cpu"
        threads = place.get("threads", facts.get("threads"))
        counted = min(max(threads, 1), MOST_THREADS) if isinstance(threads, int) else 1
        wanted = self._device or ("cpu" if was_cpu else "auto:0"), counted
        if self._process is None or self._made_for != wanted:
            self._end()
            self._process, self._made_for = TrialProcess(*wanted), wanted
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._process = None


def order_of(recorded: Recorded, data_folder: Path) -> Order:
    """What to train. A confirmation's model is tested as it was; what it says of sets of inputs is not asked again."""
    definition, run = recorded.definition, recorded.run
    return Order.of_study(
        definition,
        TrialConfig.from_params(run.params),
        range(run.first_seed, run.first_seed + run.seeds),
        tested_by=definition.objectives[0] if run.stage is Stage.CONFIRMATION else None,
        data_folder=data_folder,
    )


def other_hardware(recorded: Provenance | None, here: Provenance) -> list[str | Difference]:
    """Why bits cannot be expected here: the hardware differs, is a GPU, or was not recorded. Empty where they can."""
    if recorded is None:
        return ["the hardware that trained was not recorded"]
    found: list[str | Difference] = [one for one in differences(recorded, here) if one.group == HARDWARE]
    devices = {origin.get(RUN, {}).get("device") for origin in (recorded, here)}
    if len(devices) > 1:
        found += [one for one in differences(recorded, here) if (one.group, one.name) == (RUN, "device")]
    elif devices != {"cpu"}:
        found.append("a GPU adds in no fixed order")
    return found
