"""The pruners by name, with their options. A new one is a class in its own file, and an entry of PRUNERS."""

from typing import TYPE_CHECKING

from search_spaces.part import one_of
from search_spaces.pruners.asha import AshaPruner
from search_spaces.pruners.hyperband import HyperbandPruner
from search_spaces.pruners.median import MedianPruner
from search_spaces.pruners.none import NoPruner
from search_spaces.pruners.paired import PairedPruner
from search_spaces.pruners.pruner import PrunerPart
from search_spaces.pruners.successive_halving import SuccessiveHalvingPruner
from search_spaces.pruners.wilcoxon import WilcoxonPruner

__all__ = ["PRUNERS", "NoPruner", "Pruner", "PrunerPart"]

PRUNERS: tuple[type[PrunerPart], ...] = (
    NoPruner,
    MedianPruner,
    HyperbandPruner,
    SuccessiveHalvingPruner,
    AshaPruner,
    WilcoxonPruner,
    PairedPruner,
)

if TYPE_CHECKING:
    Pruner = PrunerPart
else:
    Pruner = one_of(PRUNERS)
