"""The pictures and tables of docs/linear-networks.md: what masks ask of a linear network, by theory and as trained.

python -m benchmarks.linear_networks    # two minutes on one core; writes docs/images and the page's tables
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from pernodedrop.linear_theory import (
    block_penalty,
    connection_penalty,
    dropout_penalty,
    effective_rank,
    minimize_by_blocks,
    minimize_by_connections,
)
from search_spaces import TaskSpec, TrialConfig
from service.reports.drawing.style import PIXELS_PER_INCH, SETTINGS
from workers.tasks import Task, load_task
from workers.training import Training

PAGE = Path(__file__).parents[1] / "docs" / "linear-networks.md"
IMAGES = PAGE.parent / "images"
BEGIN, END = "<!-- written by benchmarks/linear_networks.py: {} -->", "<!-- end of {} -->"
CPU = torch.device("cpu")
UNITS, EPOCHS, SHOWN_RATE = 10, 300, 0.5
RATES = [number / 10 for number in range(1, 10)]
KNOWN = [9.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.0, 0.0, 0.0, 0.0]  # singular values
QUIET = "#7d8590"  # legible on white and on near-black, as are the arms' colours
LOOK = SETTINGS | {
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": QUIET,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 9.5,
    "axes.titlecolor": QUIET,
    "grid.color": "#7d859040",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
}
Penalty = Callable[[Tensor, Tensor, Tensor, float], Tensor]
Best = Callable[[Tensor, Tensor, float], tuple[Tensor, float]]  # from Y, X and the variance: product and objective


@dataclass(frozen=True)
class Arm:
    """A regularizer in one of the network's layers, with what the theory says of it."""

    name: str
    theory: str  # the name of its line; several arms share one
    colour: str
    mark: str
    regularizer: str
    slots: str
    penalty: Penalty
    best: Best
    options: Mapping[str, float | str] = field(default_factory=dict)
    correlation: float = 0.0

    @property
    def task(self) -> Task:
        options = {"slots": self.slots, "correlation": self.correlation}
        return load_task(TaskSpec(name="linear_factorization", options=options), Path())


def _blocks(block: int) -> tuple[Penalty, Best]:
    def best(y: Tensor, x: Tensor, variance: float) -> tuple[Tensor, float]:
        found = minimize_by_blocks(y, x, beta=variance * block / UNITS, block=block)
        return found.product, found.objective

    return lambda u, v, x, variance: block_penalty(u, v, x, variance, block), best


def _inputs(u: Tensor, v: Tensor, x: Tensor, variance: float) -> Tensor:
    return dropout_penalty(u, v, x, inputs=variance, hidden=0.0)


def _ridge(y: Tensor, x: Tensor, variance: float) -> tuple[Tensor, float]:
    gram = x @ x.T
    product = y @ x.T @ torch.linalg.inv(gram + variance * torch.diag(gram.diagonal()))
    penalty = _inputs(product, torch.eye(len(x), dtype=torch.float64), x, variance)
    return product, float((y - product @ x).square().sum() + penalty)


def _first(u: Tensor, v: Tensor, x: Tensor, variance: float) -> Tensor:
    return connection_penalty(u, v, x, first=variance, second=0.0)


def _first_best(y: Tensor, x: Tensor, variance: float) -> tuple[Tensor, float]:
    found = minimize_by_connections(y, x, width=UNITS, first=variance, second=0.0)
    return found.product, found.objective


SINGLE, PAIRS = _blocks(1), _blocks(2)
UNIT, BLOCK, RIDGE = "Dropout, DropConnect, PerNodeDrop", "blocks of 2", "Dropout of the inputs"
ARMS = (
    Arm("Dropout", UNIT, "#2f7fd1", "o", "dropout", "second", *SINGLE),
    Arm("DropConnect", UNIT, "#2e9e5b", "s", "dropconnect", "second", *SINGLE),
    Arm("PerNodeDrop", UNIT, "#8f5be0", "^", "pernodedrop", "second", *SINGLE),
    Arm("block_dropout, 2", BLOCK, "#e4572e", "D", "block_dropout", "second", *PAIRS, {"block_size": 2}),
    Arm("Dropout of the inputs", RIDGE, "#b98a00", "v", "dropout", "first", _inputs, _ridge),
)
FIRST_LAYER, HIDDEN = "PerNodeDrop, first layer", "Dropout, hidden units"
CORRELATED = (
    Arm(FIRST_LAYER, FIRST_LAYER, "#8f5be0", "^", "pernodedrop", "first", _first, _first_best, correlation=0.9),
    Arm(HIDDEN, HIDDEN, "#2f7fd1", "o", "dropout", "second", *SINGLE, correlation=0.9),
)


@dataclass(frozen=True)
class Found:
    """One training, or the theory's optimum in its place."""

    rank: float  # effective
    nuclear: float
    val_loss: float
    imbalance: list[float] = field(default_factory=list)  # after each epoch
    excess: float = 0.0  # of the expected training loss over the least one, as a share


def main() -> None:
    torch.set_num_threads(1)
    trained = {(arm.name, rate): by_training(arm, rate) for arm in (*ARMS, *CORRELATED) for rate in RATES}
    plain = by_training(ARMS[0], 0.0)
    with mpl.rc_context(LOOK):
        for name, figure in pictures(trained, plain).items():
            write(figure, name)
    text = PAGE.read_text()
    for name, table in {"known": known(), "ways": two_ways(), "nearness": nearness(trained)}.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    PAGE.write_text(text)


def matrices(task: Task) -> tuple[Tensor, Tensor]:
    """Y and X of the training split, a sample in each column."""
    data = task.splits(CPU)
    assert isinstance(data.train_x, Tensor)
    return data.train_y.double().T, data.train_x.double().T


def by_theory(arm: Arm, rate: float) -> Found:
    y, x = matrices(arm.task)
    product, _ = arm.best(y, x, rate / (1 - rate))
    data = arm.task.splits(CPU)
    errors = data.val_y.double() - data.val_x @ product.T.to(data.val_x.dtype)
    values = torch.linalg.svdvals(product @ x) / x.shape[1] ** 0.5
    return Found(float(effective_rank(values)), float(values.sum()), float(errors.square().mean()))


def by_training(arm: Arm, rate: float) -> Found:
    config = TrialConfig(
        arm.regularizer,
        "gaussian",
        drop_rate=rate,
        units=UNITS,
        learning_rate=0.02,
        batch_size=50,
        learning_rate_schedule="cosine",
        extra=arm.options,
    )
    training = Training(arm.task, config, epochs=EPOCHS, seed=1, device=CPU)
    epochs = [epoch.metrics for epoch in training.epochs()]
    last = epochs[-1]
    return Found(
        last["train_effective_rank"],
        last["train_nuclear_norm"],
        last["val_loss"],
        [epoch["train_imbalance"] for epoch in epochs],
        _excess(arm, rate / (1 - rate), training.model) if rate else 0.0,
    )


def _excess(arm: Arm, variance: float, model: nn.Module) -> float:
    y, x = matrices(arm.task)
    first, second = (layer.weight.detach().double() for layer in model.modules() if isinstance(layer, nn.Linear))
    u, v = second, first.T
    expected = (y - u @ v.T @ x).square().sum() + arm.penalty(u, v, x, variance)
    return float(expected) / arm.best(y, x, variance)[1] - 1


def pictures(trained: Mapping[tuple[str, float], Found], plain: Found) -> dict[str, Figure]:
    columns = {"effective rank": "rank", "nuclear norm": "nuclear", "validation loss": "val_loss"}
    found = {}
    for name, arms in (("linear-networks-rate", ARMS), ("linear-networks-first-layer", CORRELATED)):
        figure, panels = _panels(list(columns))
        for axes, column in zip(panels, columns.values(), strict=True):
            for theory, several in groupby(arms, lambda arm: arm.theory):
                members = list(several)
                heights = [getattr(by_theory(members[0], rate), column) for rate in RATES]
                axes.plot(RATES, heights, color=members[0].colour, linewidth=1.4, label=f"theory: {theory}")
                for arm in members:
                    points = [getattr(trained[arm.name, rate], column) for rate in RATES]
                    axes.plot(RATES, points, arm.mark, color=arm.colour, markersize=4.5, label=f"trained: {arm.name}")
            axes.set_xlabel("drop rate")
        _legend(figure, panels[0])
        found[name] = figure
    figure, (course, end) = _panels([f"imbalance after each epoch, rate {SHOWN_RATE}", "imbalance at the end"])
    numbers = range(1, EPOCHS + 1)
    course.plot(numbers, plain.imbalance, color=QUIET, linestyle="--", linewidth=1.4, label="none")
    for arm in ARMS:
        course.plot(numbers, trained[arm.name, SHOWN_RATE].imbalance, color=arm.colour, linewidth=1.4)
        heights = [trained[arm.name, rate].imbalance[-1] for rate in RATES]
        end.plot(RATES, heights, f"{arm.mark}-", color=arm.colour, linewidth=0.8, markersize=4.5, label=arm.name)
    end.plot([0.0], plain.imbalance[-1:], "_", color=QUIET, markersize=9, label="none")
    course.set_xlabel("epoch")
    end.set_xlabel("drop rate")
    course.set_ylim(bottom=0.0)
    end.set_ylim(bottom=0.0)
    _legend(figure, end)
    found["linear-networks-balance"] = figure
    return found


def _panels(titles: list[str]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(940 / PIXELS_PER_INCH, 290 / PIXELS_PER_INCH))
    panels = list(figure.subplots(1, len(titles)))
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, loc="left")
    return figure, panels


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.subplots_adjust(left=0.04, right=0.995, top=0.93, bottom=0.16, wspace=0.16)
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.03, 0.0), ncols=4 if len(labels) > 4 else 2)


def write(figure: Figure, name: str) -> None:
    figure.savefig(IMAGES / f"{name}.svg", bbox_inches="tight", pad_inches=0.08, metadata={"Date": None})


def known() -> str:
    """The optima of the matrix with singular values `KNOWN`."""
    rows = ["| block | singular values of the optimum | least expected loss | gap |", "| --- | --- | --- | --- |"]
    target = torch.diag(torch.tensor(KNOWN, dtype=torch.float64))
    for block in (1, 2, 3, 4):
        found = minimize_by_blocks(target, torch.eye(len(KNOWN), dtype=torch.float64), beta=1.0, block=block)
        values = ", ".join(f"{value:.4g}" for value in found.values.tolist() if value)
        gap = "below 1e-14" if found.gap < 1e-14 else f"{found.gap:.0e}"
        rows.append(f"| {block} | {values} | {found.objective:.4f} | {gap} |")
    return "\n".join(rows)


def two_ways() -> str:
    """PerNodeDrop's least expected loss by the convex problem and by a descent in the factors."""
    y, x = matrices(CORRELATED[0].task)
    rows = ["| masks on | convex problem | descent in U and V | effective rank |", "| --- | --- | --- | --- |"]
    for name, first, second in (("V", 1.0, 0.0), ("U and V", 1.0, 1.0), ("U", 0.0, 1.0)):
        convex = minimize_by_connections(y, x, width=UNITS, first=first, second=second)
        value = _descended(y, x, first, second)
        rank = float(effective_rank(convex.product @ x))
        rows.append(f"| {name} | {convex.objective:.5f} | {value:.5f} | {rank:.2f} |")
    return "\n".join(rows)


def _descended(y: Tensor, x: Tensor, first: float, second: float) -> float:
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(len(side), UNITS, dtype=torch.float64, generator=generator) for side in (y, x))
    u.requires_grad_()
    v.requires_grad_()
    descent = torch.optim.LBFGS(
        [u, v], max_iter=5000, tolerance_grad=1e-5, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        descent.zero_grad()
        loss = (y - u @ v.T @ x).square().sum() + connection_penalty(u, v, x, first=first, second=second)
        torch.autograd.backward(loss)
        return loss

    descent.step(closure)
    return closure().item()


def nearness(trained: Mapping[tuple[str, float], Found]) -> str:
    """How far the trained networks' expected loss lies above the least one."""
    rows = ["| trained with | least excess | largest excess |", "| --- | --- | --- |"]
    for arm in (*ARMS, *CORRELATED):
        excesses = [trained[arm.name, rate].excess for rate in RATES]
        name = arm.name if not arm.correlation else f"{arm.name}, correlated inputs"
        rows.append(f"| {name} | {min(excesses):.2%} | {max(excesses):.2%} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
