"""A study whose calls are awaited."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

from pernodedrop.client import looking, operations, weights
from pernodedrop.client.answers import (
    Best,
    Details,
    Figure,
    Overview,
    Recommended,
    RunState,
    StudyState,
    Trial,
    Winner,
)
from pernodedrop.client.connection import AsyncConnection, Connection
from pernodedrop.client.frames import Curves, RankingRows, Trials
from pernodedrop.client.loops import AsyncTrainings
from pernodedrop.client.ordered import Retried
from pernodedrop.client.progress import shown
from pernodedrop.client.ranked import FrontRow
from pernodedrop.client.study import PathLike, PictureFormat
from pernodedrop.client.weights import Which
from pernodedrop.client.wire import Steps

T = TypeVar("T")


class AsyncStudy:
    """One study, as `Study` is: every property and method is awaited (`await study.best`)."""

    def __init__(self, connection: AsyncConnection, name: str, advice: Sequence[str] = ()) -> None:
        self._connection = connection
        self.name = name
        self.advice = list(advice)

    @property
    def details(self) -> Coroutine[Any, Any, Details]:
        """See `Study.details`."""
        return self._run(operations.study(self.name))

    @property
    def state(self) -> Coroutine[Any, Any, StudyState]:
        """See `Study.state`."""
        return self._of_details(lambda details: details.state)

    @property
    def definition(self) -> Coroutine[Any, Any, dict[str, Any]]:
        """See `Study.definition`."""
        return self._of_details(lambda details: details.definition)

    @property
    def best(self) -> Coroutine[Any, Any, Best | None]:
        """See `Study.best`."""
        return self._run(operations.best(self.name))

    @property
    def winner(self) -> Coroutine[Any, Any, Winner | None]:
        """See `Study.winner`."""
        return self._of_details(lambda details: details.winner)

    @property
    def recommended(self) -> Coroutine[Any, Any, Recommended | None]:
        """See `Study.recommended`."""
        return self._of_details(lambda details: details.recommended)

    @property
    def ranking(self) -> Coroutine[Any, Any, RankingRows]:
        """See `Study.ranking`."""
        return self._ranked()

    @property
    def front(self) -> Coroutine[Any, Any, list[FrontRow]]:
        """See `Study.front`."""
        return self._fronted()

    async def wait(self, progress: bool = True) -> Details:
        """See `Study.wait`."""
        with shown(progress) as show:
            return await self._run(looking.waiting(self.name, show))

    async def trials(self, state: RunState | None = None) -> Trials:
        """See `Study.trials`."""
        return await self._run(looking.trials(self.name, state))

    async def to_frame(self) -> Any:
        """See `Study.to_frame`."""
        return (await self.trials()).to_frame()

    async def curves(self) -> Curves:
        """See `Study.curves`."""
        return Curves(await self._run(operations.curves(self.name)))

    async def figures(self) -> list[Figure]:
        """See `Study.figures`."""
        return await self._run(operations.figures(self.name))

    async def picture(self, figure: str, form: PictureFormat = "svg") -> bytes:
        """See `Study.picture`."""
        return await self._run(operations.file(self.name, "figures", f"{figure}.{form}"))

    async def report(self) -> str:
        """See `Study.report`."""
        return (await self._run(operations.file(self.name, "report"))).decode()

    async def pause(self) -> Overview:
        """See `Study.pause`."""
        return await self._run(operations.change(self.name, "pause"))

    async def resume(self) -> Overview:
        """See `Study.resume`."""
        return await self._run(operations.change(self.name, "resume"))

    async def stop(self) -> Overview:
        """See `Study.stop`."""
        return await self._run(operations.change(self.name, "stop"))

    async def extend(self, trials: int, seen: int | None = None) -> Overview:
        """See `Study.extend`."""
        return await self._run(operations.extend(self.name, trials, seen))

    async def confirm(self, **wanted: int | float | str | None) -> Overview:
        """See `Study.confirm`."""
        return await self._run(operations.confirm(self.name, wanted))

    async def retry(self, trials: Sequence[int] | None = None) -> Retried:
        """See `Study.retry`."""
        return await self._run(operations.retry(self.name, trials))

    async def enqueue(self, params: Mapping[str, Any], *, outside: bool = False) -> Trial:
        """See `Study.enqueue`."""
        return await self._run(operations.enqueue(self.name, params, outside))

    async def amend(self, **wanted: int | str | Sequence[str]) -> Overview:
        """See `Study.amend`."""
        return await self._run(operations.amend(self.name, wanted))

    async def weights(self, output: PathLike, **which: Unpack[Which]) -> Path:
        """See `Study.weights`."""
        with weights.written(Path(output)) as (folder, archive):
            async with self._connection.stream(operations.weights_of(self.name, which)) as pieces:
                async for piece in pieces:
                    archive.write(piece)
            weights.unpack(archive, folder)
        return Path(output)

    async def delete(self) -> None:
        """See `Study.delete`."""
        await self._run(operations.delete(self.name))

    def trials_to_train(self) -> AsyncTrainings:
        """See `Study.trials_to_train`; for `async for`, and `await trial.report(...)`."""
        return AsyncTrainings(self._connection, self.name)

    def __repr__(self) -> str:
        return f"AsyncStudy({self.name!r})"

    def _repr_html_(self) -> str:
        connection = Connection(self._connection.controller)  # a notebook awaits no picture
        try:
            return looking.as_html(connection, self.name)
        finally:
            connection.close()

    async def _ranked(self) -> RankingRows:
        return RankingRows((await self._run(operations.ranking(self.name))).ranking)

    async def _fronted(self) -> list[FrontRow]:
        return (await self._run(operations.ranking(self.name))).front

    async def _of_details(self, part: Callable[[Details], T]) -> T:
        return part(await self._run(operations.study(self.name)))

    def _run(self, steps: Steps[T]) -> Coroutine[Any, Any, T]:
        return self._connection.run(steps)
