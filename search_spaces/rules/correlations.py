"""A rule for correlations that a law of the noise cannot have over the positions of a sequence."""

from collections.abc import Iterator, Mapping
from itertools import islice, product

from search_spaces.conditions import Needs, all_needs
from search_spaces.problems import Problem, shown
from search_spaces.rules.stated import Stated, stated
from search_spaces.shape import StudyShape
from search_spaces.trial_config import TrialConfig

SLACK = 1e-9  # a bound such as -2/3 is met by the number that is written for it
MOST_TRIED = 2_000  # combinations of values; a trial of the others fails with the same remedy


def correlation_refusal(correlation: float, stir_type: str, drop_rate: float) -> str | None:
    """The rule that a correlation below 0 breaks at this drop rate in [0, 1), or None.

    Two states of a connection, kept and dropped, cannot alternate faster than the rarer one occurs. A rate of 0 has no
    noise, and what another distribution's law can have only its class knows.
    """
    if stir_type in ("gaussian", "partial_gaussian"):
        return "must be above -1" if drop_rate > 0 and correlation <= -1 else None
    if stir_type != "bernoulli" or not 0 < drop_rate < 1:
        return None
    odds = drop_rate / (1 - drop_rate)
    least = -min(odds, 1 / odds)
    return None if correlation >= least - SLACK else f"must be at least {least:.4g}"


def correlations_suit_their_laws(definition: StudyShape) -> Iterator[Problem]:
    """A trial of such a correlation would fail, in every repetition."""
    if not definition.task.is_built_in:
        return  # an own task may use these names for layers of its own
    needs = all_needs(definition.search_space)
    for correlation in stated(definition, needs, "time_correlation"):
        if correlation.path is None or isinstance(correlation.value, str) or correlation.value >= 0:
            continue
        problem = next(_refusals(definition, needs, correlation.value, correlation), None)
        if problem is not None:
            yield Problem.at(correlation.path, problem)


def _refusals(definition: StudyShape, needs: Mapping[str, Needs], correlation: float, under: Stated) -> Iterator[str]:
    parts = [
        [each for each in stated(definition, needs, "regularizer") if each.value == "pernodedrop"],
        [each for each in stated(definition, needs, "mask_mode", TrialConfig.mask_mode) if each.value == "dynamic"],
        [*stated(definition, needs, "stir_type", TrialConfig.stir_type)],
        [*stated(definition, needs, "drop_rate", TrialConfig.drop_rate)],
    ]
    for *others, of_law, of_rate in islice(product(*parts), MOST_TRIED):
        law, rate = of_law.value, of_rate.value
        if isinstance(rate, str) or not under.meets(of_law, of_rate, *others):
            continue
        refusal = correlation_refusal(correlation, str(law), rate)
        if refusal is not None:
            other = "" if law == "gaussian" else ', take stir_type "gaussian", which has any above -1,'
            remedy = f"raise it{other} or search it for other drop rates"
            yield f"{refusal} for stir_type {shown(law)} at drop_rate {rate:g}, got {shown(correlation)}: {remedy}"


RULES = (correlations_suit_their_laws,)
