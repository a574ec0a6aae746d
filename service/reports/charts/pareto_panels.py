"""Trials by several objectives, a panel for each pair of them, with those of the Pareto front in full colour."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

from search_spaces import Objective
from service.reports.charts.chart import GREY, Figure, Trace, axis, figure, grey_line, points
from service.reports.charts.scale import scaled
from service.storage.records import TrialRecord

PALE, FULL = 0.3, 0.95  # opacity of a trial that another one dominates, and of one of the front
LOW, HIGH = [0.0, 0.44], [0.56, 1.0]  # parts of the width and of the height
TALL = 640  # px: of two rows of panels
FRONT = "Pareto front"
CORNER: dict[str, Any] = {"x": HIGH[0], "y": 1, "font": {"size": 12}}  # a legend where no panel is
MOST_IN_CORNER = 12  # names


def pareto_figure(
    objectives: Sequence[Objective],
    trials: Mapping[str, Sequence[TrialRecord]],
    front: Sequence[TrialRecord],
    notes: Mapping[int, str],
) -> Figure:
    """The trials of every variant, all with finite values, by two or three objectives.

    Of two objectives there is one panel, with a line through the front. Of three there are three, as below the
    diagonal of a scatter matrix: a column has one objective across, a row one upward. `front` may have trials that are
    not drawn; `notes` has one for each drawn trial, by its run.
    """
    on_front = {trial.run_id for trial in front}
    titles = [_title(objective, place, trials) for place, objective in enumerate(objectives)]
    if len(objectives) == 2:
        (x, across), (y, upward) = titles
        marks = _marks(trials, (0, 1), on_front, notes)
        return figure([_joined(front), *marks], x=x, y=y, xaxis=across, yaxis=upward)
    traces = [
        trace | {"xaxis": f"x{place or ''}", "yaxis": f"y{upward or ''}"}
        for pair, (place, upward) in zip(combinations(range(3), 2), ((0, 0), (0, 2), (2, 2)), strict=True)
        for trace in _marks(trials, pair, on_front, notes, showlegend=pair == (0, 1))
    ]
    (first, one), (second, two), (third, three) = titles
    legend = {"legend": CORNER} if len(trials) <= MOST_IN_CORNER else {}
    return figure(
        traces,
        height=TALL,
        x=first,
        y=second,
        xaxis=one | {"domain": LOW, "anchor": "y2"},
        yaxis=two | {"domain": HIGH},
        xaxis2=axis(second, domain=HIGH, anchor="y2") | two,
        yaxis2=axis(third, domain=LOW) | three,
        **legend,
    )


def _title(objective: Objective, place: int, trials: Mapping[str, Sequence[TrialRecord]]) -> tuple[str, dict[str, Any]]:
    """An axis' title, and what it adds to the axis: which way is better, and the scale."""
    better = "higher" if objective.maximizes else "lower"
    values = [trial.values[place] for several in trials.values() for trial in several if trial.values]
    return scaled(f"{objective.metric}, {better} is better", [] if objective.maximizes else values)


def _marks(
    trials: Mapping[str, Sequence[TrialRecord]],
    pair: tuple[int, int],
    on_front: Collection[int],
    notes: Mapping[int, str],
    *,
    showlegend: bool = True,
) -> list[Trace]:
    """Two traces a variant: its trials that others dominate, and above all of those the ones of the front.

    Opacity is the marker's own, so the legend, which shows a variant once, has it in full colour.
    """
    drawn = []
    for opacity, is_front in ((PALE, False), (FULL, True)):
        for variant, several in trials.items():
            those = [trial for trial in several if (trial.run_id in on_front) is is_front]
            if not those and not is_front:
                continue
            xs, ys = ([trial.values[place] for trial in those if trial.values] for place in pair)
            # The legend has no entry for a trace without a point, so one that shows nothing stands for none.
            trace = points(variant, xs or [None], ys or [None], [notes[trial.run_id] for trial in those])
            trace["marker"] |= {"opacity": opacity} | ({"size": 10} if is_front else {})
            drawn.append(trace | {"showlegend": showlegend and is_front})
    return drawn


def _joined(front: Sequence[TrialRecord]) -> Trace:
    """A line through the front of two objectives, in the order of the first one."""
    values = [trial.values[:2] for trial in front if trial.values]
    style = {"width": 1.5, "color": GREY, "dash": "dot"}
    return grey_line(FRONT, [x for x, _ in values], [y for _, y in values], style)
