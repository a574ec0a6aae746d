"""What a confirmation has measured so far, by configuration and seed, as costs: less is better."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile

import sqlalchemy as sa

from search_spaces import Objective, StudyShape
from search_spaces.objective import TEST, best_epoch, measured_as, metric_name, split_of
from service.storage.runs.configurations import Configuration, Round
from service.storage.states import RunState

Costs = list[tuple[float, ...]]

_POINTS = sa.text(
    """
    SELECT run_id, repeat, epoch, split, metric, value FROM fleet.curves
    WHERE run_id = ANY(:runs) AND split = ANY(:splits) AND metric = ANY(:metrics)
    ORDER BY run_id, repeat, epoch
    """
)
# The first epoch of a training pays for compilation.
_SECONDS = sa.text(
    """
    SELECT avg(value) FROM fleet.curves
    WHERE run_id = ANY(:runs) AND split = 'train' AND metric = 'seconds' AND (epoch > 1 OR :epochs = 1)
    """
)


@dataclass(frozen=True)
class _Epoch:
    metrics: dict[str, float] = field(default_factory=dict)


def costs_of(connection: sa.Connection, definition: StudyShape, configurations: Sequence[Configuration]) -> Costs:
    """Return each configuration's costs under the confirmation's seeds from the first on, as many as it has.

    A cost is the tested metric at the epoch that is best by the objective, on the validation split where not every
    complete run has it on the test split. One that is not finite is infinite. Costs end before a run that failed or was
    cancelled.
    """
    objective = definition.objectives[0]
    complete = [one.run for every in configurations for one in every.rounds if one.state is RunState.COMPLETE]
    best = _best_epochs(connection, complete, objective)
    on_test = _is_tested(chain.from_iterable(best.values()), objective)
    return [
        tuple(_cost(epoch, objective, on_test=on_test) for one in _complete(every) for epoch in best[one.run])
        for every in configurations
    ]


def _complete(of: Configuration) -> Iterator[Round]:
    """The runs before the first that is not complete."""
    return takewhile(lambda one: one.state is RunState.COMPLETE, of.rounds)


def _cost(epoch: _Epoch | None, objective: Objective, *, on_test: bool) -> float:
    if epoch is None:
        return math.inf
    value = epoch.metrics[objective.tested] if on_test else objective.of(epoch.metrics)
    return math.inf if value is None or not math.isfinite(value) else objective.cost(value)


def _is_tested(best: Iterable[_Epoch | None], objective: Objective) -> bool:
    """Whether all best epochs have the metric on the test split."""
    return all(one is None or objective.tested in one.metrics for one in best)


def _best_epochs(
    connection: sa.Connection, runs: Sequence[int], objective: Objective
) -> dict[int, list[_Epoch | None]]:
    """Each run's best epochs by the objective, one for every repeat; the test split has no part in it."""
    names = [name.partition("_")[2] for name in measured_as(objective.metric)]
    which = {"runs": list(runs), "splits": [split_of(objective.metric), TEST], "metrics": names}
    epochs: dict[int, dict[int, dict[int, _Epoch]]] = {run: {} for run in runs}
    for row in connection.execute(_POINTS, which):
        epoch = epochs[row.run_id].setdefault(row.repeat, {}).setdefault(row.epoch, _Epoch())
        epoch.metrics[metric_name(row.split, row.metric)] = row.value
    return {
        run: [best_epoch(repeats[number].values(), objective) for number in sorted(repeats)]
        for run, repeats in epochs.items()
    }


def epoch_seconds(connection: sa.Connection, definition: StudyShape, of: Configuration) -> float:
    """Return the mean time of a training's epoch, in s, over the configuration's runs; infinite if none was timed."""
    values = {"runs": [one.run for one in of.rounds], "epochs": definition.task.epochs}
    seconds: float | None = connection.execute(_SECONDS, values).scalar_one()
    return math.inf if seconds is None else seconds
