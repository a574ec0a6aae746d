"""The pictures of docs/methods.md and docs/layers.md: what each method multiplies with, how masks change over the
positions of a sequence, and what each schedule does to a number.

    python -m benchmarks.method_pictures

The factors are read from the layers themselves: an input that is 1 in one place and 0 elsewhere, over the weight that
it meets, with the same random numbers for every place.
"""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.functional import pernode_linear
from pernodedrop.layers.dropblock import DropBlock2d
from pernodedrop.methods.spatial_dropout import SpatialDropout
from pernodedrop.methods.stochastic_depth import StochasticDepth
from search_spaces import TrialConfig
from service.reports.drawing.style import PIXELS_PER_INCH, SETTINGS
from workers.training.schedules import DROP_RATES, learning_rate

IMAGES = Path(__file__).parents[1] / "docs" / "images"
INPUTS, UNITS, SAMPLES, RATE = 14, 5, 3, 0.4
QUIET = "#7d8590"  # legible on white and on near-black
LOOK = SETTINGS | {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.titlesize": 8.5,
    "axes.titlecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": QUIET,
    "text.color": QUIET,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
}
SLOTS: Mapping[str, dict[str, object]] = {
    "dropout": {},
    "gaussian_dropout": {},
    "dropconnect": {},
    "pernodedrop, bernoulli": {"stir_type": "bernoulli"},
    "pernodedrop, gaussian": {"stir_type": "gaussian", "backend": "mask"},
    "pernodedrop, partial_gaussian": {"stir_type": "partial_gaussian", "noisy_fraction": 0.3, "backend": "mask"},
    "pernodedrop, fixed": {"mask_mode": "fixed"},
    "pernodedrop, 2 groups": {"options": {"mask_groups": 2}},
    "block_dropout": {"options": {"block_size": 2}},
    "shakeout": {"options": {"c": 0.1}},
    "concrete_dropout": {"options": {"temperature": 0.3}},
    "masksembles": {"drop_rate": 0.3},
}


def _factors(layer: nn.Linear, samples: int) -> Tensor:
    """What each weight is multiplied with for every sample: (B, J, I)."""
    found = []
    for place in range(INPUTS):
        torch.manual_seed(5)
        x = torch.zeros(samples, INPUTS)
        x[:, place] = 1.0
        found.append(copy.deepcopy(layer)(x) - (0.0 if layer.bias is None else layer.bias))
    return torch.stack(found, -1).detach() / layer.weight.detach()


def _factors_of(name: str, settings: dict[str, object]) -> Tensor:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(INPUTS, UNITS, bias=False))
    with torch.no_grad():  # of like sizes, so that quotients are exact enough to be shown
        model[0].weight.copy_(model[0].weight.sign() * (0.5 + torch.rand(UNITS, INPUTS)))
    regularize(model, name.partition(",")[0], **{"drop_rate": RATE, **settings})  # type: ignore[arg-type]
    samples = 4 if name == "masksembles" else SAMPLES
    return _factors(model.train()[0], samples)[:SAMPLES]


def masks() -> Figure:
    """A panel a method: below each other the samples of a batch, in each the units; the inputs run to the right."""
    shown: dict[str, tuple[Tensor, str]] = {name: (_slot(name, given), "inputs") for name, given in SLOTS.items()}
    torch.manual_seed(1)
    maps = torch.ones(SAMPLES, 3, 9, 9)
    for title, layer in {"spatial_dropout": SpatialDropout(RATE), "drop_block": DropBlock2d(RATE, 3)}.items():
        drawn = layer.train()(maps)
        samples = [torch.cat([nn.functional.pad(one, (0, 1), value=torch.nan) for one in each], -1) for each in drawn]
        shown[title] = torch.cat(samples), "3 channels of a map"
    branches = [StochasticDepth(RATE, share=number / 14).train() for number in range(1, 15)]
    drawn = torch.stack([branch(torch.ones(15, 1)).squeeze(1) for branch in branches], -1)
    shown["stochastic_depth"] = drawn, "branches, the first left"
    figure = Figure(figsize=(9.4, 8.4))
    for axes, (title, (image, across)) in zip(figure.subplots(5, 3).flat, shown.items(), strict=True):
        drawing = axes.imshow(image, cmap="RdBu_r", vmin=0.0, vmax=2.0, aspect="auto", interpolation="nearest")
        axes.set_title(title, loc="left")
        axes.set_xlabel(across, fontsize=7.5)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.subplots_adjust(left=0.01, right=0.93, top=0.97, bottom=0.03, hspace=0.45, wspace=0.06)
    bar = figure.colorbar(drawing, cax=figure.add_axes((0.95, 0.3, 0.012, 0.4)))
    bar.set_label("factor (1: untouched), cut off at 0 and 2")
    return figure


def _slot(name: str, settings: dict[str, object]) -> Tensor:
    """The samples below each other, with a gap between them: (B (J + 1) - 1, I)."""
    samples = [nn.functional.pad(one, (0, 0, 0, 1), value=torch.nan) for one in _factors_of(name, settings)]
    return torch.cat(samples)[:-1]


def over_time() -> Figure:
    """A panel a law and a correlation: some connections below each other, the positions run to the right."""
    panels = [("bernoulli", rho) for rho in (-0.5, 0.0, 0.5, 0.9, 1.0)] + [("gaussian", 0.9)]
    figure = Figure(figsize=(9.4, 3.6))
    for axes, (law, share_time) in zip(figure.subplots(2, 3).flat, panels, strict=True):
        torch.manual_seed(4)
        x, weight = torch.ones(1, 50, 1), torch.ones(12, 1)
        y = pernode_linear(x, weight, None, RATE, stir_type=law, share_time=share_time, backend="mask")
        axes.imshow(y[0].T, cmap="RdBu_r", vmin=0.0, vmax=2.0, aspect="auto", interpolation="nearest")
        axes.set_title(f"{law}, share_time {share_time:g}", loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.subplots_adjust(left=0.01, right=0.99, top=0.93, bottom=0.02, hspace=0.25, wspace=0.06)
    return figure


def schedules() -> Figure:
    """The drop rate and the learning rate over the training, as shares of their values in the study."""
    figure = Figure(figsize=(9.4, 2.9))
    done = [number / 400 for number in range(400)]
    rates = {name: [rate(share, 1.0, 0.5) for share in done] for name, rate in DROP_RATES.items()}
    learning: dict[str, list[float]] = {}
    for name in ("cosine", "one_cycle", "step", "snapshot"):
        schedule = learning_rate(TrialConfig(learning_rate=1.0, learning_rate_schedule=name), 400)
        assert schedule is not None
        learning[name] = [schedule(share) for share in done]
    panels: Mapping[str, Mapping[str, list[float]]] = {"drop_rate_schedule": rates, "learning_rate_schedule": learning}
    for axes, (title, curves) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for name, curve in curves.items():
            axes.plot(done, curve, label=name, linewidth=1.5)
        axes.set_title(title, loc="left")
        axes.set_xlabel("share of the training's steps")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), labelcolor=QUIET)
    figure.subplots_adjust(left=0.04, right=0.88, top=0.9, bottom=0.18, wspace=0.55)
    return figure


def main() -> None:
    pictures: Mapping[str, Callable[[], Figure]] = {
        "methods-masks": masks,
        "methods-schedules": schedules,
        "layers-over-time": over_time,
    }
    with mpl.rc_context(LOOK):
        for name, draw in pictures.items():
            draw().savefig(IMAGES / f"{name}.png", dpi=PIXELS_PER_INCH * 1.4, metadata={"Software": None})


if __name__ == "__main__":
    main()
