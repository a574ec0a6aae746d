"""No pruning, the default."""

from typing import TYPE_CHECKING, Literal

from search_spaces.objective import Objective
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class NoPruner(PrunerPart):
    """Without a pruner, every trial trains to its end."""

    takes_several_objectives = True

    name: Literal["none"] = "none"

    def shortest(self, *, epochs: int, repeats: int) -> int:
        return epochs * repeats

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna.pruners import NopPruner

        return NopPruner()
