"""The paper's protocol on our records, beside the paper's own mean ranks."""

from collections import Counter

from service.reports.found.records import records_table
from service.reports.found.results import Results
from service.reports.markup import Html, element, join, table
from service.reports.paper import published_mean_ranks
from service.reports.sections.section import note, section, tag, warning
from service.reports.words.conclusion import p_text
from service.reports.words.wording import decimal, number
from service.statistics import RECORDS, PaperRanking, paper_protocol

PROVES_NOTHING = (
    "This protocol proves nothing about which variant is better. Its blocks are the best records of the same few "
    "trainings, not independent repetitions: between identical variants it finds a difference nearly every time. It is "
    "here only for comparison with the paper (arXiv:2512.12663)."
)


def paper(results: Results) -> Html | None:
    """The paper's ranking, if two variants or more have enough records."""
    best = records_table(results.study, results.trials, results.epochs, top=RECORDS)
    enough = [variant for variant, count in Counter(r.variant for r in best).items() if count == RECORDS]
    if len(enough) < 2:
        return None
    ranked = paper_protocol({v: [record.val_loss for record in best if record.variant == v] for v in enough})
    test = ranked.test
    intro = (
        f"The {RECORDS} best records of each variant, ranked jointly by validation loss. Friedman's test with the i-th "
        f"best records as blocks: chi-squared {number(test.chi2)}, Kendall's W {test.kendall_w:.2f}, nominally "
        f"{p_text(test.p_chi2)}."
    )
    return section("The paper's protocol", warning(PROVES_NOTHING), element("p", intro), _mean_ranks(results, ranked))


def _mean_ranks(results: Results, ranked: PaperRanking) -> Html:
    published = published_mean_ranks(results.study.definition.task.name)
    rows = [
        [tag(variant), f"{rank:.1f}"] + ([decimal(published.get(variant), 1)] if published else [])
        for variant, rank in ranked.mean_ranks.items()
    ]
    ranked_here = table(["Variant", "Mean rank"] + (["In the paper"] if published else []), rows)
    if not published:
        return ranked_here
    ours, theirs = RECORDS * len(ranked.mean_ranks), RECORDS * len(published)
    return join((ranked_here, note(f"Ranks go from 1 to {ours} here and from 1 to {theirs} in the paper.")))
