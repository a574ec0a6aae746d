"""The picture of what `benchmarks.pausing` has found: mean regret against epochs spent, with 95 % intervals."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.linear_networks import LOOK
from benchmarks.pausing_tables import Found
from service.reports.drawing.style import PIXELS_PER_INCH
from service.statistics.interval import mean_interval

FILE = Path(__file__).parents[1] / "docs" / "images" / "pausing.svg"
COLOURS = {  # legible on white and on near-black
    "none": "#7d8590",
    "median": "#b8860b",
    "hyperband": "#8f6fd8",
    "successive_halving": "#d1603d",
    "asha": "#2f81c7",
    "asha, 3 brackets": "#3a9d5d",
}
FIRST = 2  # half trainings: before that a fleet has hardly begun
COLUMNS = 4
LEAST = 0.001  # regret that is shown: a search that names the best has none


def draw(found: Found, names: Sequence[str]) -> None:
    """A row of panels for each sampler, a panel for all curves of these names, into docs/images/pausing.svg."""
    panels = [
        (name, sampler) for name, sampler in {tuple(setting.split(" | ")[:2]) for setting in found} if name in names
    ]
    panels.sort(key=lambda panel: panel[::-1])
    rows = -(-len(panels) // COLUMNS)
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(940 / PIXELS_PER_INCH, (40 + 240 * rows) / PIXELS_PER_INCH))
        axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for panel, (name, sampler) in zip(axes, panels, strict=False):
            panel.set_title(f"{name}, {sampler}", loc="left")
            for way, colour in COLOURS.items():
                each = found.get(f"{name} | {sampler} | {way}")
                if not each:
                    continue
                regrets = np.array([one["regrets"] for one in each])[:, FIRST - 1 :]
                spent = each[0]["epochs"] * np.arange(FIRST, FIRST + regrets.shape[1]) / 2
                intervals = [mean_interval(column) for column in regrets.T]
                panel.plot(spent, regrets.mean(axis=0), color=colour, linewidth=1.5, label=way.replace("_", " "))
                low, high = ([getattr(one, side) for one in intervals] for side in ("low", "high"))
                panel.fill_between(spent, low, high, color=colour, alpha=0.14, linewidth=0)
            panel.set_yscale("log")
            panel.set_ylim(bottom=max(panel.get_ylim()[0], LEAST))
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_minor_locator(NullLocator())
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            if panel in axes[::COLUMNS]:
                panel.set_ylabel("regret")
            panel.set_xlabel("epochs spent")
        for panel in axes[len(panels) :]:
            panel.set_visible(False)
        figure.subplots_adjust(left=0.06, right=0.995, top=0.95, bottom=0.1, wspace=0.3, hspace=0.5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.05, -0.06), ncols=len(labels))
        figure.savefig(FILE, bbox_inches="tight", pad_inches=0.08, metadata={"Date": None})
