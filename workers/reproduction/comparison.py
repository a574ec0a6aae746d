"""Two trainings of one run, figure by figure: equal to the last bit, or from where on they differ, and by how much.

Two processors round sums in different orders. The difference, one part in ten million, grows from step to step as any
small change does: after the first epoch the losses of stable trainings still agree to 1e-4 and better, after twenty
some differ by percents (docs/reproducing.md). So on other hardware only the losses of every training's first epoch are
judged, within `TOLERANCE`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search_spaces.objective import OF_THE_MACHINE
from service.storage.capsule.content import Figures

TOLERANCE = 1e-3  # relative, of the losses of a first epoch


@dataclass(frozen=True)
class Deviation:
    """A figure that is not the same; None where only one of the trainings has it."""

    repeat: int  # from 0
    epoch: int  # from 1
    metric: str
    recorded: float | None
    here: float | None

    @property
    def where(self) -> str:
        return f"epoch {self.epoch}" + (f" of seed {self.repeat + 1}" if self.repeat else "")

    @property
    def how(self) -> str:
        if self.recorded is None or self.here is None:
            return f"{self.metric} is {'here only' if self.recorded is None else 'missing here'}"
        by = abs(self.here - self.recorded)
        return f"{self.metric} was {self.recorded!r} and is {self.here!r}, by {by:.2g} ({self.relative:.1e})"

    @property
    def relative(self) -> float:
        """The difference as a share of the recorded figure; infinite where there is no such number."""
        if self.recorded is None or self.here is None:
            return math.inf
        by = abs(self.here - self.recorded)
        return by / abs(self.recorded) if self.recorded and math.isfinite(by) else math.inf


def comparable(figures: Figures) -> Figures:
    """The figures without those of the machine."""
    return {key: value for key, value in figures.items() if key[2] not in OF_THE_MACHINE}


def deviations(recorded: Figures, here: Figures) -> list[Deviation]:
    """Every figure that is not the same in both to the last bit, by repeat, epoch and metric; nan equals nan.

    Metrics that were not recorded at all are those of a later release, and say nothing.
    """
    names = {name for _, _, name in recorded}
    keys = sorted({*recorded, *(key for key in here if key[2] in names)})
    pairs = [(key, recorded.get(key), here.get(key)) for key in keys]
    return [Deviation(*key, one, other) for key, one, other in pairs if not _same(one, other)]


def beyond_tolerance(found: Iterable[Deviation]) -> list[Deviation]:
    """Those that other hardware does not explain: losses of a first epoch that differ by more than `TOLERANCE`."""
    losses = (one for one in found if one.epoch == 1 and one.metric.endswith("loss"))
    return [one for one in losses if one.relative > TOLERANCE]


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return one == other or (math.isnan(one) and math.isnan(other))
