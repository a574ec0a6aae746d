"""A trial whose process is killed in the middle, carried on by another process, beside one that nobody disturbed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from benchmarks.gpu.bits import bound, first_difference
from benchmarks.gpu.conducting import TrialFailed, name_of, reason, reports, trained
from service.storage.assignments.progress import EpochDone
from workers.trial.checkpoints import CheckpointRoot, unsealed
from workers.trial.devices import OpenDevice
from workers.trial.messages import Order, Started
from workers.trial.process import TrialProcess

KILLED_AT = 2  # the epoch whose report is the last that is heard of the process
MOST_PROCESSES = 64


@dataclass(frozen=True)
class End:
    """What a training said of its epochs, and the state that it ended in."""

    epochs: list[EpochDone]
    state: Any

    @property
    def figures(self) -> list[tuple[int, dict[str, float]]]:
        """Each epoch's, without those that say how and not what was trained."""
        return [(done.epoch, bound(done.metrics)) for done in self.epochs]


@dataclass(frozen=True)
class Takeover:
    """Two trainings of one trial."""

    undisturbed: End
    resumed: End
    resumed_after: int  # epochs

    def difference(self) -> str | None:
        """The first figure or part of the state that is not the same bit for bit."""
        one, other = self.undisturbed, self.resumed
        figures = first_difference(one.figures, other.figures, "epochs")
        return figures or first_difference(one.state, other.state, "state")


class Crew:
    """Trial processes on one device: one for each trial that is killed, and some that carry on with them."""

    def __init__(self, device: torch.device, opener: OpenDevice, folder: Path, until: float) -> None:
        self._device, self._opener, self._folder, self._until = device, opener, folder, until
        # The kernel ends a trial process with the thread that started it: these threads stay.
        self._threads = ThreadPoolExecutor(MOST_PROCESSES)
        self._undo = ExitStack()
        self._heirs: SimpleQueue[Future[TrialProcess]] = SimpleQueue()

    @classmethod
    @contextmanager
    def of(cls, device: torch.device, opener: OpenDevice, folder: Path, until: float, heirs: int) -> "Iterator[Crew]":
        """A crew whose processes are gone after the block."""
        crew = cls(device, opener, folder, until)
        try:
            for _ in range(heirs):
                crew._heirs.put(crew._threads.submit(crew._process))
            yield crew
        finally:
            crew._undo.close()
            crew._threads.shutdown(cancel_futures=True)

    def disturb(self, orders: Sequence[Order]) -> "list[Future[Takeover]]":
        """Begin to train each of them twice, once disturbed."""
        return [self._threads.submit(self._disturb, number, order) for number, order in enumerate(orders)]

    def _process(self) -> TrialProcess:
        process = TrialProcess(name_of(self._device), 1, opener=self._opener)
        self._undo.callback(process.kill)
        return process

    def _disturb(self, number: int, order: Order) -> Takeover:
        victim = self._process()
        alone = replace(order, token=1, checkpoints=CheckpointRoot(str(self._folder / f"{number}-undisturbed"), "gpu"))
        undisturbed = self._end(victim, alone)[1]
        shared = replace(order, token=1, checkpoints=CheckpointRoot(str(self._folder / f"{number}-killed"), "gpu"))
        self._kill_in_the_middle(victim, shared)
        heir = self._heirs.get()
        try:
            started, resumed = self._end(heir.result(), replace(shared, token=2))
        finally:
            self._heirs.put(heir)
        return Takeover(undisturbed, resumed, int(started.facts.get("resumed_after_epoch", 0)))

    def _end(self, process: TrialProcess, order: Order) -> tuple[Started, End]:
        started, epochs = trained(process, order, self._until)
        assert order.checkpoints is not None
        newest = max(Path(order.checkpoints.url).rglob("*.pt"))  # tokens go up
        return started, End(epochs, unsealed(newest.read_bytes())["state"]["training"])

    def _kill_in_the_middle(self, victim: TrialProcess, order: Order) -> None:
        for report in reports(victim, order, self._until):
            match report:
                case Started():
                    continue
                case EpochDone(epoch=epoch):
                    if epoch == KILLED_AT:
                        victim.kill()  # SIGKILL, while it writes this epoch's checkpoint or trains the next
                        return
                case _:
                    raise TrialFailed(f"a trial must go on until it is killed, it ended with {reason(report)}")
