"""The parts of the check, in the order in which they run: what a short loan must bring first comes first."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # the command itself needs no torch, to say that there is none
    from benchmarks.gpu.findings import Findings
    from benchmarks.gpu.setting import Setting


class Run(Protocol):
    """A part's function: looks, measures, and writes down what it finds. Raises NotHere where it cannot run."""

    def __call__(self, findings: "Findings", setting: "Setting", /) -> None: ...


@dataclass(frozen=True)
class Part:
    """A part of the check; its module in this package has the function `run`."""

    name: str
    shows: str  # for --help
    seconds: float  # at most, of the eight minutes
    proves: bool  # whether it makes statements about correctness: cut off, it leaves them open

    @property
    def run(self) -> Run:
        return cast(Run, import_module(f"benchmarks.gpu.{self.name}").run)


PARTS = (
    Part("laws", "every backend's masks, gradients and seeds beside the reference", 110, proves=True),
    Part("layers", "a layer beside Dropout + Linear, and beside the chip's limits", 95, proves=False),
    Part("epochs", "an epoch of every variant, with CUDA graphs and bfloat16", 70, proves=False),
    Part("together", "many small networks as one batched model", 40, proves=False),
    Part("resume", "a trial killed and resumed, bit for bit", 40, proves=True),
    Part("slots", "trials an hour by processes on one device, its memory and its readings", 78, proves=True),
    Part("stack", "`pernodedrop run` with its own Postgres", 47, proves=True),
)
BY_NAME = {part.name: part for part in PARTS}
