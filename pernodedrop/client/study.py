"""A study of the controller: what it has found, what can be asked of it, and trainings of its runs."""

from collections.abc import Mapping, Sequence
from os import PathLike as OsPath
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

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
from pernodedrop.client.connection import Connection
from pernodedrop.client.frames import Curves, RankingRows, Trials
from pernodedrop.client.loops import Trainings
from pernodedrop.client.ordered import Retried
from pernodedrop.client.progress import shown
from pernodedrop.client.ranked import FrontRow
from pernodedrop.client.weights import Which
from pernodedrop.client.wire import Steps

T = TypeVar("T")
PictureFormat = Literal["svg", "png"]
PathLike = str | OsPath[str]


class Study:
    """One study. Every property and method asks the controller anew, and raises `Unreachable` or `Refused`."""

    def __init__(self, connection: Connection, name: str, advice: Sequence[str] = ()) -> None:
        self._connection = connection
        self.name = name
        self.advice = list(advice)  # of a study just submitted: what it means for the workers that are there

    @property
    def details(self) -> Details:
        """The study as it is now: state, counts, budget, objectives, answer, definition."""
        return self._run(operations.study(self.name))

    @property
    def state(self) -> StudyState:
        """ "running", "paused", "stopped", "complete" or "failed"."""
        return self.details.state

    @property
    def definition(self) -> dict[str, Any]:
        """The definition as submitted, with defaults filled in and later orders."""
        return self.details.definition

    @property
    def best(self) -> Best | None:
        """The search's best complete trial by the first objective; None before there is one."""
        return self._run(operations.best(self.name))

    @property
    def winner(self) -> Winner | None:
        """The configuration that is first in the confirmation; None before that has ended."""
        return self.details.winner

    @property
    def recommended(self) -> Recommended | None:
        """The configuration that the study recommends; None before the confirmation has ended."""
        return self.details.recommended

    @property
    def ranking(self) -> RankingRows:
        """The variants of regularization, the best first."""
        return RankingRows(self._run(operations.ranking(self.name)).ranking)

    @property
    def front(self) -> list[FrontRow]:
        """The Pareto front by the first objective, at most 100 trials; empty with a single objective."""
        return self._run(operations.ranking(self.name)).front

    def wait(self, progress: bool = True) -> Details:
        """Wait until the study has ended, its confirmation too, and return it as it is then.

        It returns as well once the study has paused for its failures and nothing is in training: `has_paused_itself`.

        Args:
            progress: Whether to show a bar in a terminal, the study in a notebook, and lines elsewhere.

        Raises:
            Unreachable: the controller has not answered for ten minutes.
        """
        with shown(progress) as show:
            return self._run(looking.waiting(self.name, show))

    def trials(self, state: RunState | None = None) -> Trials:
        """Every run of the search and the confirmation in the order of the queue, or those in this state."""
        return self._run(looking.trials(self.name, state))

    def to_frame(self) -> Any:
        """Every run as a row of a pandas DataFrame: see `Trials.to_frame`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        return self.trials().to_frame()

    def curves(self) -> Curves:
        """Every point of the learning curves of complete and pruned runs."""
        return Curves(self._run(operations.curves(self.name)))

    def figures(self) -> list[Figure]:
        """The figures that the study has the results for, by name."""
        return self._run(operations.figures(self.name))

    def picture(self, figure: str, form: PictureFormat = "svg") -> bytes:
        """A figure of the report as SVG or PNG, which the controller draws if it has matplotlib."""
        return self._run(operations.file(self.name, "figures", f"{figure}.{form}"))

    def report(self) -> str:
        """The study's report as a page of HTML."""
        return self._run(operations.file(self.name, "report")).decode()

    def pause(self) -> Overview:
        """Begin no further run; those in training go on."""
        return self._run(operations.change(self.name, "pause"))

    def resume(self) -> Overview:
        """Begin runs of a paused study again."""
        return self._run(operations.change(self.name, "resume"))

    def stop(self) -> Overview:
        """End the study for good: what waits or is paused is cancelled, what is in training ends at its next epoch."""
        return self._run(operations.change(self.name, "stop"))

    def extend(self, trials: int, seen: int | None = None) -> Overview:
        """Add so many trials to the search.

        Where the budget is not `seen` any more, as when this is repeated because an answer was lost, it is refused.
        """
        return self._run(operations.extend(self.name, trials, seen))

    def confirm(self, **wanted: int | float | str | None) -> Overview:
        """Train the best configurations again under fresh seeds and test them, or add to a confirmation.

        `wanted` are the fields of a definition's `confirmation`: top, repeats, until, most_repeats, indifference,
        prefer.
        """
        return self._run(operations.confirm(self.name, wanted))

    def retry(self, trials: Sequence[int] | None = None) -> Retried:
        """Let failed runs wait again, inside the budget: these trials, or all of the study that have failed."""
        return self._run(operations.retry(self.name, trials))

    def enqueue(self, params: Mapping[str, Any], *, outside: bool = False) -> Trial:
        """Train this configuration next, as a trial of the budget; `outside` is for one outside of the search space."""
        return self._run(operations.enqueue(self.name, params, outside))

    def amend(self, **wanted: int | str | Sequence[str]) -> Overview:
        """Change the study's `note` (a text), `tags` (texts) or `priority` (an integer)."""
        return self._run(operations.amend(self.name, wanted))

    def weights(self, output: PathLike, **which: Unpack[Which]) -> Path:
        """Fetch the weights of a configuration into a folder, for `load_winner` of workers.winner; returns the folder.

        They are those of the recommended configuration, under every seed. `trial` names a trial of the search instead,
        `confirmation` the configuration of a run of the confirmation by its place, `seed` a single seed; `ensemble`
        lets `load_winner` average all seeds. An earlier folder of weights is replaced.

        Raises:
            Refused: nothing was kept, or nothing is recommended yet; the message says why.
            FileExistsError: something else is at the place.
            NotWhole: the answer is no whole zip.
        """
        with weights.written(Path(output)) as (folder, archive):
            with self._connection.stream(operations.weights_of(self.name, which)) as pieces:
                archive.writelines(pieces)
            weights.unpack(archive, folder)
        return Path(output)

    def delete(self) -> None:
        """Remove the study with its trials and curves for good."""
        self._run(operations.delete(self.name))

    def trials_to_train(self) -> Trainings:
        """The trainings of a study whose task is `external`, one after another, until the study has ended.

        Each object is one `Training`. While there is nothing to train, the loop waits; while the controller does not
        answer, too. A run that the loop's body leaves before its last epoch has failed. A loop that is left by an
        exception has failed with its reason, and after Ctrl-C or `break` the run is handed back.
        """
        return Trainings(self._connection, self.name)

    def __repr__(self) -> str:
        return f"Study({self.name!r})"

    def _repr_html_(self) -> str:
        return looking.as_html(self._connection, self.name)

    def _run(self, steps: Steps[T]) -> T:
        return self._connection.run(steps)
