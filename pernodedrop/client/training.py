"""One training of somebody's own loop: its parameters and seed, its epochs, and what it reports."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from pernodedrop.client.answers import Objective, Scalar, Stage
from pernodedrop.client.connection import AsyncConnection, Connection
from pernodedrop.client.errors import LeaseLost
from pernodedrop.client.holding import Held, Why, said
from pernodedrop.client.own_loop import Told
from pernodedrop.client.typed import typed
from pernodedrop.client.wire import Steps

T = TypeVar("T")
AnyConnection = TypeVar("AnyConnection", Connection, AsyncConnection)


class AnyTraining(Generic[AnyConnection]):
    """One training: one run, and one of its seeds. The next repeat of the same run is the next object."""

    def __init__(self, connection: AnyConnection, held: Held, repeat: int) -> None:
        self._connection: AnyConnection = connection
        self._held = held
        self.repeat = repeat  # from 0: which of the run's seeds
        self._knows = False  # whether the training was told that it has ended

    @property
    def params(self) -> dict[str, Scalar]:
        """The configuration: every dimension that counts, and what the study fixes."""
        return dict(self._held.order.params)

    def config(self, kind: type[T]) -> T:
        """The configuration as an object of your dataclass `kind`, its types checked.

        Raises:
            TypeError: a field is missing, unknown or of another type.
        """
        return typed(kind, self.params)

    @property
    def seed(self) -> int:
        """The training's seed, below 2**32: for its weights, batches and noise."""
        return self._held.order.seeds[self.repeat]

    @property
    def run(self) -> int:
        """The run's id in the queue."""
        return self._held.order.run

    @property
    def number(self) -> int:
        """The trial's number in its study, or the run's place in the confirmation."""
        return self._held.order.number

    @property
    def stage(self) -> Stage:
        """ "search", or "confirmation": a configuration is trained again under fresh seeds."""
        return self._held.order.stage

    @property
    def is_tested(self) -> bool:
        """Whether test_... metrics are to be reported as well."""
        return self._held.order.tested

    @property
    def objectives(self) -> list[Objective]:
        """The metrics that every epoch must report."""
        return list(self._held.order.objectives)

    @property
    def last_epoch(self) -> int:
        """The epoch that a full training ends with."""
        return self._held.order.epochs

    @property
    def ended(self) -> Why | None:
        """Why the run has ended; None while it has not. A training that knows it should end."""
        return self._held.ended

    def log(self, *lines: object) -> None:
        """Say something of the training: the last 200 lines stand in `pernodedrop logs` and on the trial's page.

        They are sent with the next report, every three seconds at most, and at the end. What looks like a password, a
        key or a token is not sent. A training that fails with an exception has its traceback there too.
        """
        self._held.log.write("\n".join(map(str, lines)))

    def epochs(self) -> Iterator[int]:
        """The epochs from 1 on. They end early when the run is pruned, stopped or lost.

        Raises:
            RuntimeError: the epoch before was not reported.
        """
        begun = 0
        while self._held.ended is None and self._reported < self.last_epoch:
            if begun > self._reported:
                raise RuntimeError(
                    f"epoch {begun} of {self._held.called} was not reported: call report() once in every epoch"
                )
            begun = self._reported + 1
            yield begun
        self._knows = True

    def __repr__(self) -> str:
        return f"<{self._held.called}, repeat {self.repeat}, epoch {self._reported} of {self.last_epoch}>"

    @property
    def _reported(self) -> int:
        return self._held.reported[self.repeat]

    def _report(self, metrics: Mapping[str, Any]) -> Steps[bool]:
        epoch = self._reported + 1
        if self._held.ended is not None:
            return self._is_over()
        if epoch > self.last_epoch:
            raise RuntimeError(f"all {self.last_epoch} epochs of {self._held.called} are reported already")
        numbers = {name: _number(name, value) for name, value in metrics.items()}
        if not numbers:
            raise ValueError("report at least the study's objectives, as report(val_loss=0.3)")
        yield from self._held.report(self.repeat, epoch, numbers)
        return self._held.ended is None

    def _failed(self, reason: str | BaseException) -> Steps[Told | None]:
        if isinstance(reason, BaseException):
            self._held.log.raised(reason)
        return self._held.tell("failed", said(reason))

    def _is_over(self) -> bool:
        if self._knows:
            message = f"{self._held.called} has ended ({self._held.ended}): leave its training"
            raise LeaseLost(409, "lease_lost", message)
        self._knows = True
        return False


class Training(AnyTraining[Connection]):
    """One training: one run, and one of its seeds. The next repeat of the same run is the next object."""

    def report(self, **metrics: Any) -> bool:
        """Report the epoch's metrics, as `val_loss=0.3, train_loss=0.2`; what `float` takes is a number.

        A metric that is not finite ends the run as failed. While the controller does not answer, this waits, up to ten
        minutes.

        Returns:
            Whether to train on; False says that the run has ended: pruned, stopped, failed or lost.

        Raises:
            LeaseLost: the training was told before that its run has ended.
            Refused: a metric has no valid name, or an objective is missing.
            Unreachable: the controller has not answered for ten minutes.
        """
        return self._connection.run(self._report(metrics))

    def fail(self, reason: str | BaseException) -> None:
        """End the run as failed with this reason, and go on with the next one; an exception has its traceback kept."""
        self._connection.run(self._failed(reason))

    def hand_back(self) -> None:
        """Give the run back to the queue: somebody trains it from its first epoch. No attempt is counted."""
        self._connection.run(self._held.tell("handed_back"))


class AsyncTraining(AnyTraining[AsyncConnection]):
    """One training, as `Training` is; its calls are awaited."""

    async def report(self, **metrics: Any) -> bool:
        """Report the epoch's metrics; see `Training.report`."""
        return await self._connection.run(self._report(metrics))

    async def fail(self, reason: str | BaseException) -> None:
        """End the run as failed with this reason, and go on with the next one."""
        await self._connection.run(self._failed(reason))

    async def hand_back(self) -> None:
        """Give the run back to the queue: somebody trains it from its first epoch. No attempt is counted."""
        await self._connection.run(self._held.tell("handed_back"))


def _number(name: str, value: Any) -> float | None:
    """The metric's value; None is one that is not finite, which JSON cannot say."""
    try:
        number = float(value)
        return number if math.isfinite(number) else None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}") from None
