"""Validation against training loss at the end of the epoch: which models learn, and which overfit."""

import math

from search_spaces.objective import Objective, best_epoch
from service.reports.charts.chart import GREY, Chart, Figure, Trace, figure, points, shown, thinned, thinning
from service.reports.charts.scale import scaled
from service.reports.found.results import Results
from service.reports.markup import Html
from service.reports.sections.section import section
from service.reports.words.measured import training_loss
from service.reports.words.wording import number, settings

LEAST_LOSS = Objective(metric="val_loss")


def generalization(results: Results) -> Html | None:
    drawn = generalization_charts(results)
    return section("Validation against training loss", *shown(drawn)) if drawn else None


def generalization_charts(results: Results) -> list[Chart]:
    if len(results.best_first) < 2:
        return []
    drawn = generalization_figure(results)
    if not drawn["data"]:
        return []
    caption = (
        "Every complete trial at its epoch of lowest validation loss, beside "
        f"{training_loss(results.study.definition)}. A model above the dotted line does worse on validation data than "
        "on training data: the further above, the more it overfits."
        f"{thinning(results.complete)}"
    )
    return [Chart("generalization", caption, drawn)]


def generalization_figure(results: Results) -> Figure:
    traces: list[Trace] = []
    losses: list[float] = []
    validations: list[float] = []
    for variant, trials in thinned(results.complete).items():
        marks = []
        for trial in trials:
            epoch = best_epoch(results.mean_epochs(trial), LEAST_LOSS)
            if epoch is not None and math.isfinite(epoch.metrics.get("train_loss", math.nan)):
                train, validation = epoch.metrics["train_loss"], epoch.metrics["val_loss"]
                there = f"epoch {epoch.number}: training {number(train)}, validation {number(validation)}"
                said = f"trial {trial.number}, {there}, {settings(trial.params)}"
                marks.append((train, validation, said))
        if marks:
            xs, ys, notes = zip(*marks, strict=True)
            traces.append(points(variant, xs, ys, notes))
            losses += xs
            validations += ys
    ends = [min(losses), max(losses)] if traces else []
    if traces:
        traces.insert(0, _diagonal(*ends))
    both = losses + validations  # both scales are the same, so that the diagonal is one
    x, across = scaled("training loss at the end of the epoch", both, losses)
    y, upward = scaled("validation loss", both, validations + ends)
    return figure(traces, x=x, y=y, xaxis=across, yaxis=upward)


def _diagonal(low: float, high: float) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": GREY, "dash": "dot", "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }
