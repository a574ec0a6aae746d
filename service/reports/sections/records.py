"""The paper's table and bar plot: the best records of each variant, ours and the paper's."""

from collections.abc import Sequence

from service.reports.charts.chart import Chart, shown
from service.reports.charts.record_bars import record_bars_figure
from service.reports.found.records import TOP, Record, records_table
from service.reports.found.results import Results
from service.reports.markup import Html, element, table
from service.reports.paper import published_records
from service.reports.sections.section import note, section, tag
from service.reports.words.measured import training_figures
from service.reports.words.wording import DASH, decimal, setting

PUBLISHED = "of the whole training set, measured without noise at the end of the epoch"


def records(results: Results) -> Html | None:
    ours = records_table(results.study, results.trials, results.epochs)
    if not ours:
        return None
    intro = (
        f"The {TOP} records (variant, rate, epoch) of each variant with the lowest validation loss, as in the paper's "
        f"tables I to III. T-Loss and T-Acc are {training_figures(results.study.definition)}. The best of many records "
        "is partly luck, and one variant's records are epochs of the same few trainings."
    )
    drawn = record_charts(results)
    return section(
        "Best records",
        element("p", intro),
        _records(ours),
        *shown(drawn[:1]),
        *_beside(results, ours),
        *shown(drawn[1:]),
    )


def record_charts(results: Results) -> list[Chart]:
    """The bar plot of our records, and of the paper's if it has the task."""
    ours = records_table(results.study, results.trials, results.epochs)
    if not ours:
        return []
    reading = _reading(training_figures(results.study.definition))
    drawn = [Chart("records", f"The best records of each variant. {reading}", record_bars_figure(ours))]
    published = published_records(results.study.definition.task.name)
    if published:
        theirs = f"The paper's own best records of this task, for comparison. {_reading(PUBLISHED)}"
        drawn.append(Chart("records_in_the_paper", theirs, record_bars_figure(published)))
    return drawn


def _reading(training: str) -> str:
    return f"Solid bars are validation figures, pale ones training figures, {training}."


def _records(ours: Sequence[Record]) -> Html:
    rows = [
        (
            tag(record.variant),
            _rate(record),
            str(record.epoch),
            decimal(record.val_accuracy, 3),
            decimal(record.val_loss, 3),
            decimal(record.train_loss, 3),
            decimal(record.train_accuracy, 3),
        )
        for record in ours
    ]
    return table(["Variant", "Rate", "Epoch", "V-Acc", "V-Loss", "T-Loss", "T-Acc"], rows)


def _beside(results: Results, ours: Sequence[Record]) -> list[Html]:
    """Each variant's best record, ours and the paper's, where the paper has the task and the variant."""
    task = results.study.definition.task
    published = _best(published_records(task.name))
    shared = [(best, published[variant]) for variant, best in _best(ours).items() if variant in published]
    if not shared:
        return []
    rows = [
        (
            tag(best.variant),
            *(cell for r in (best, printed) for cell in (_rate(r), decimal(r.val_accuracy, 3), decimal(r.val_loss, 3))),
        )
        for best, printed in shared
    ]
    header = ["Variant", "Rate", "V-Acc", "V-Loss", "Paper's rate", "Paper's V-Acc", "Paper's V-Loss"]
    data = "all training data" if task.train_size is None else f"{task.train_size:,} training samples"
    differs = f"Ours: {data}, {task.epochs} epochs. The paper's: all training data, up to 20 epochs."
    return [element("h3", "The best record of each variant beside the paper's"), table(header, rows), note(differs)]


def _best(several: Sequence[Record]) -> dict[str, Record]:
    """Each variant's record of lowest validation loss, the best variant first."""
    best: dict[str, Record] = {}
    for record in sorted(several, key=lambda record: record.val_loss):
        best.setdefault(record.variant, record)
    return best


def _rate(record: Record) -> str:
    return DASH if record.drop_rate is None else setting(record.drop_rate)
