"""What the compared variants are."""

from service.reports.found.results import Results
from service.reports.markup import Html, table
from service.reports.sections.section import section, tag
from service.reports.words.methods import meaning_of


def legend(results: Results) -> Html | None:
    if results.study.definition.task.is_external:
        return None  # what the names mean is the loop's affair
    said = {variant: meaning_of(variant) for variant in results.variants}
    rows = [(tag(variant), meaning) for variant, meaning in said.items() if meaning]
    return section("What the variants are", table(["Variant", "In training"], rows, words=2)) if rows else None
