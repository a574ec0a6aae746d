"""The recommended configuration and the search's best, in words, and as lines of a definition."""

from collections.abc import Mapping
from typing import Any

from search_spaces import StudyShape
from search_spaces.parameters import OPTIONS
from search_spaces.yaml_text import written
from service.reports.found.confirmed import Confirmation, Confirmed
from service.reports.found.results import Results
from service.reports.words.advice import to_decide
from service.reports.words.naming import names
from service.reports.words.winner import ties, undecided
from service.reports.words.wording import listing
from service.statistics import Outcome
from service.storage.states import StudyState


def recommendation(confirmation: Confirmation, chosen: Confirmed) -> str:
    """ "dropout, the winner of the confirmation.", or why it is recommended although it has not won."""
    name = names(confirmation)[confirmation.found.index(chosen)]
    if len(confirmation.compared) == 1:
        return f"{name}, the only configuration that was confirmed."
    if chosen is not confirmation.found[0]:
        return f"{name}, which the confirmation cannot tell from the best mean."
    if tied := ties(confirmation):
        return f"{name}, whose mean is the best; that of {listing(tied)} is the same."
    if confirmation.decision is not None and confirmation.decision.outcome is Outcome.EQUAL:
        return f"{name}, whose mean is the best of those that are practically equal."
    if undecided(confirmation):
        return f"{name}, which is ahead in the confirmation but has not won: its lead may be luck."
    return f"{name}, the winner of the confirmation."


def searchs_best(results: Results) -> str:
    """The sentence that says what the search's best is worth."""
    said = "The best of many trials is partly luck"
    if results.study.state is StudyState.COMPLETE and results.study.winner is not None:
        return f"{said}; what to use is the recommended configuration above."
    return f"{said}, so the search alone recommends nothing. {to_decide(results.study)}"


def fixed_block(definition: StudyShape, params: Mapping[str, Any]) -> str:
    """The parameters of a trial of this study as the block `fixed` of a definition, in YAML.

    A setting that the study fixed for other regularizers is left out: a definition without these refuses it.
    """
    regularizer = params.get("regularizer")
    foreign = {name for name, option in OPTIONS.items() if regularizer not in option.of and definition.task.is_built_in}
    used = {name: value for name, value in params.items() if name not in foreign}
    return "\n".join(
        ["fixed:" if used else "fixed: {}", *(f"  {name}: {written(value)}" for name, value in used.items())]
    )
