"""Lists that become pandas' tables where pandas is installed: one row a trial, a point, a variant."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pernodedrop.client.answers import Objective, Point, Scalar, Trial
from pernodedrop.client.html import table
from pernodedrop.client.ranked import RankingRow
from pernodedrop.installation import need

if TYPE_CHECKING:
    from pandas import DataFrame

Row = TypeVar("Row")


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> "DataFrame":
    """A table of pandas.

    Raises:
        MissingPackage: pandas is not installed; the message is one line with the remedy.
    """
    need("a frame", "frames", "pandas")
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))


class Trials(list[Trial]):
    """A study's runs in the order of its queue."""

    def __init__(self, trials: Sequence[Trial], objectives: Sequence[Objective]) -> None:
        super().__init__(trials)
        self._objectives = objectives

    def to_frame(self) -> "DataFrame":
        """A row a run: its fields, a column an objective, a column a parameter (`params_units`).

        A trial of the search has its values by validation (`val_loss`), a run of the confirmation on the test split
        (`test_loss`) where the task has one. What a training reported of itself is not in it.

        Raises:
            MissingPackage: pandas is not installed.
        """
        kept = [one.name for one in fields(Trial) if one.name not in ("params", "values", "facts")]
        rows = [{**{name: getattr(one, name) for name in kept}, **self._values(one), **_params(one)} for one in self]
        more = dict.fromkeys(name for values in (self._values, _params) for one in self for name in values(one))
        return frame(rows, [*kept, *more])

    def _values(self, trial: Trial) -> dict[str, float | None]:
        is_tested = trial.stage == "confirmation" and trial.facts.get("confirmed_on", "test") == "test"
        names = [one.tested if is_tested else one.metric for one in self._objectives]
        return dict(zip(names, trial.values or [None] * len(names), strict=False))

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for one in self for name in self._values(one)))
        rows = [
            [one.number, one.stage, one.state, one.variant, *map(self._values(one).get, names), one.epoch]
            for one in self
        ]
        return table(["trial", "stage", "state", "variant", *names, "epochs"], rows)


class Curves(list[Point]):
    """Every point of every learning curve of a study's complete and pruned runs."""

    def to_frame(self) -> "DataFrame":
        """A row a point: run, trial, stage, variant, first_seed, repeat, epoch, split, metric, value.

        Raises:
            MissingPackage: pandas is not installed.
        """
        return _plain(self, Point)


class RankingRows(list[RankingRow]):
    """The variants of a study, the best first."""

    def to_frame(self) -> "DataFrame":
        """A row a variant, with the fields of `RankingRow`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        return _plain(self, RankingRow)

    def _repr_html_(self) -> str:
        return ranking_table(self)


def ranking_table(rows: Sequence[RankingRow]) -> str:
    """The ranking as a table of HTML."""
    head = ["rank", "variant", "complete", "best trial", "mean of top 3", "epochs"]
    return table(head, [[r.rank, r.variant, r.trials, r.best_values, r.mean_of_top, r.epochs] for r in rows])


def _params(trial: Trial) -> dict[str, Scalar]:
    return {f"params_{name}": value for name, value in trial.params.items()}


def _plain(rows: Sequence[Row], kind: type[Any]) -> "DataFrame":
    columns = [one.name for one in fields(kind)]
    return frame([{name: getattr(row, name) for name in columns} for row in rows], columns)
