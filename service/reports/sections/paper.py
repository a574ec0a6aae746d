"""The paper's protocol on our records, and the paper's own figures beside ours."""

from collections import Counter
from collections.abc import Sequence

from service.reports.markup import Html, element, join, table
from service.reports.paper import published_mean_ranks, published_records
from service.reports.records import TOP, Record, records_table
from service.reports.results import Results
from service.reports.sections.section import note, section, tag, warning
from service.reports.statistics import RECORDS, PaperRanking, paper_protocol
from service.reports.variants import look_of
from service.reports.wording import DASH, decimal, number, setting

PROVES_NOTHING = (
    "This protocol proves nothing about which variant is better. Its blocks are the best records of the same few "
    "trainings, not independent repetitions: between identical variants it finds a difference nearly every time. It is "
    "here to be compared with the paper (arXiv:2512.12663)."
)


def records(results: Results) -> Html | None:
    """The paper's table: the best records of each variant, and the paper's best beside ours."""
    ours = records_table(results.study, results.trials, results.curves)
    if not ours:
        return None
    told = f"The {TOP} records (rate, epoch) of least validation loss of each variant."
    return section("Best records", element("p", told), _records(ours), *_beside(results, ours))


def paper(results: Results) -> Html | None:
    """The paper's ranking, if two variants or more have enough records."""
    everything = records_table(results.study, results.trials, results.curves, top=None)
    enough = [variant for variant, count in Counter(r.variant for r in everything).items() if count >= RECORDS]
    if len(enough) < 2:
        return None
    ranked = paper_protocol({v: [record.val_loss for record in everything if record.variant == v] for v in enough})
    test = ranked.test
    told = (
        f"The {RECORDS} best records of each variant, ranked jointly by validation loss. Friedman with the i-th best "
        f"records as blocks: chi-squared {number(test.chi2)}, Kendall's W {test.kendall_w:.2f}, nominally p = "
        f"{number(test.p_chi2, 2)}."
    )
    return section("The paper's protocol", warning(PROVES_NOTHING), element("p", told), _mean_ranks(results, ranked))


def _mean_ranks(results: Results, ranked: PaperRanking) -> Html:
    published = published_mean_ranks(results.study.definition.task.name)
    rows = [
        [tag(variant, look_of(variant).colour), f"{rank:.1f}"]
        + ([decimal(published.get(variant), 1)] if published else [])
        for variant, rank in ranked.mean_ranks.items()
    ]
    ranked_here = table(["Variant", "Mean rank"] + (["In the paper"] if published else []), rows)
    if not published:
        return ranked_here
    ours, theirs = RECORDS * len(ranked.mean_ranks), RECORDS * len(published)
    return join((ranked_here, note(f"Ranks go from 1 to {ours} here and from 1 to {theirs} in the paper.")))


def _records(shown: Sequence[Record]) -> Html:
    rows = [
        (
            tag(record.variant, look_of(record.variant).colour),
            _rate(record),
            str(record.epoch),
            decimal(record.val_accuracy, 3),
            decimal(record.val_loss, 3),
            decimal(record.train_loss, 3),
            decimal(record.train_accuracy, 3),
        )
        for record in shown
    ]
    return table(["Variant", "Rate", "Epoch", "V-Acc", "V-Loss", "T-Loss", "T-Acc"], rows)


def _beside(results: Results, ours: Sequence[Record]) -> list[Html]:
    """Each variant's best record, ours and the paper's, where the paper has task and variant."""
    task = results.study.definition.task
    published = _best(published_records(task.name))
    shared = [(best, published[variant]) for variant, best in _best(ours).items() if variant in published]
    if not shared:
        return []
    rows = [
        (
            tag(best.variant, look_of(best.variant).colour),
            *(cell for r in (best, printed) for cell in (_rate(r), decimal(r.val_accuracy, 3), decimal(r.val_loss, 3))),
        )
        for best, printed in shared
    ]
    header = ["Variant", "Rate", "V-Acc", "V-Loss", "Paper's rate", "Paper's V-Acc", "Paper's V-Loss"]
    data = "all training data" if task.train_size is None else f"{task.train_size:,} training samples"
    differs = f"Ours: {data}, {task.epochs} epochs. The paper's: all training data, up to 20 epochs."
    return [element("h3", "The best record of each variant beside the paper's"), table(header, rows), note(differs)]


def _best(shown: Sequence[Record]) -> dict[str, Record]:
    """Each variant's record of least validation loss, the best variant first."""
    best: dict[str, Record] = {}
    for record in sorted(shown, key=lambda record: record.val_loss):
        best.setdefault(record.variant, record)
    return best


def _rate(record: Record) -> str:
    return DASH if record.drop_rate is None else setting(record.drop_rate)
