"""The paper's bar plot: the best records of every variant, validation beside training, losses and accuracies."""

from collections.abc import Sequence
from typing import Any

from service.reports.charts.chart import ABOVE, Figure, Trace, axis, figure, legend_key, plain
from service.reports.charts.look import look_of
from service.reports.found.records import Record
from service.reports.words.wording import setting

LEFT, RIGHT = (0.0, 0.49), (0.51, 1.0)  # parts of the width
ROW = 27  # px
VALIDATION, TRAINING = "validation", "training"  # in the legend
OPACITY = {VALIDATION: 1.0, TRAINING: 0.4}


def record_bars_figure(records: Sequence[Record]) -> Figure:
    """A row for each record, a variant's records together and the best variant at the top.

    Losses are on the left; accuracies are on the right, if there are any.
    """
    rows = grouped(records)[::-1]  # height 0 is at the bottom
    has_accuracy = any(record.val_accuracy is not None for record in rows)
    traces = [
        _bars(rows, [record.train_loss for record in rows], TRAINING, "x"),
        _bars(rows, [record.val_loss for record in rows], VALIDATION, "x"),
    ]
    keys = [legend_key(split, symbol="square", size=12, opacity=OPACITY[split]) for split in (VALIDATION, TRAINING)]
    shape = {"domain": LEFT, "rangemode": "tozero"} if has_accuracy else {"rangemode": "tozero"}
    layout: dict[str, Any] = {
        "barmode": "group",
        "bargap": 0.25,
        "legend": ABOVE,
        "margin": {"l": 60, "r": 28, "t": 44, "b": 48},
    }
    named = {"tickvals": list(range(len(rows))), "ticktext": list(map(_label, rows)), "showgrid": False}
    layout |= {"height": 104 + ROW * len(rows), "yaxis": named | {"range": [-0.6, len(rows) - 0.4]}}
    if not has_accuracy:
        return figure([*traces, *keys], x="loss", y="", xaxis=shape, **layout)
    traces += [
        _bars(rows, [record.train_accuracy for record in rows], TRAINING, "x2"),
        _bars(rows, [record.val_accuracy for record in rows], VALIDATION, "x2"),
    ]
    accuracy = axis("accuracy", domain=RIGHT, anchor="y", range=[0, 1])
    return figure([*traces, *keys], x="loss", y="", xaxis=shape, xaxis2=accuracy, **layout)


def grouped(records: Sequence[Record]) -> list[Record]:
    """A variant's records together, each group best first, the groups in the order of their best."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.val_loss):
        groups.setdefault(record.variant, []).append(record)
    return [record for group in groups.values() for record in group]


def _bars(rows: Sequence[Record], values: Sequence[float | None], split: str, across: str) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "x": list(values),
        "y": list(range(len(rows))),
        "xaxis": across,
        "yaxis": "y",
        "opacity": OPACITY[split],
        "legendgroup": split,
        "showlegend": False,
        "marker": {"color": [look_of(record.variant).colour for record in rows]},
        "hovertemplate": "%{x:.3f}<extra></extra>",
    }


def _label(record: Record) -> str:
    rate = "" if record.drop_rate is None else f", rate {setting(record.drop_rate)}"
    return plain(f"{record.variant}{rate}, epoch {record.epoch}")
