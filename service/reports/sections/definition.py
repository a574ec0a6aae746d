"""The study's definition as it was submitted, to run it again."""

import json

from service.reports.markup import Html, element
from service.reports.results import Results
from service.reports.sections.section import section


def definition(results: Results) -> Html:
    written = json.dumps(results.study.definition.model_dump(mode="json", exclude_defaults=True), indent=2)
    return section(
        "Definition",
        element(
            "details",
            element("summary", "The study's definition, defaults left out"),
            element("pre", element("code", written)),
        ),
    )
