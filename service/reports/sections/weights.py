"""The weights that the confirmation has kept, with the digests that tie them to its table."""

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.found.results import Results
from service.reports.found.weights import KeptWeights, kept_of
from service.reports.markup import Html, element, join, table
from service.reports.sections.section import note, section, tag
from service.reports.words.wording import plural, settings

SHOWN = 16  # digits of a digest


def weights(results: Results) -> Html | None:
    """A row for each confirmed configuration that has kept weights; None where none has."""
    found = list(kept_of(results))
    if not found:
        return None
    name = results.study.name
    return section(
        "Weights",
        element("p", "The weights of every seed's best epoch by validation, whose figures the confirmation shows."),
        table(["Variant and configuration", "Seeds", "Bytes", "SHA-256"], [_row(results, one) for one in found]),
        note(
            join(
                (
                    "To have those of the recommended configuration: ",
                    element("code", f"pernodedrop weights {name} -o model/"),
                    ", or ",
                    element("code", f"GET /v1/studies/{name}/winner/weights"),
                    '. The digest is of the lines "SEED DIGEST" of all seeds; winner.json has it in full, '
                    "with that of each file.",
                )
            )
        ),
    )


def _row(results: Results, one: KeptWeights) -> list[Html | str]:
    searched = results.study.definition.search_space
    varied = {name: value for name, value in one.trial.params.items() if name in searched}
    under = element("small", settings(varied, without=VARIANT_PARAMETERS), class_="under")
    digest = one.digest
    said = element("code", digest[:SHOWN], title=digest) if digest else f"not whole: {one.missing}"
    size = sum(each.size for each in one.by_seed.values())
    return [join((tag(one.trial.variant), under)), plural(len(one.by_seed), "seed"), f"{size:,}", said]
