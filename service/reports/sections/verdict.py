"""The answer to "which variant is better?"."""

from service.reports.comparison import compare
from service.reports.conclusion import conclusion
from service.reports.markup import Html, element
from service.reports.results import Results
from service.reports.sections.section import section


def verdict(results: Results) -> Html | None:
    said = conclusion(results, compare(results))
    if not said:
        return None
    first, rest = said[0], said[1:]
    return section(
        "What can be concluded",
        element("p", element("strong", first), class_="verdict"),
        *(element("p", sentence) for sentence in rest),
    )
