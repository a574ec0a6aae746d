"""A rule for correlations that a law of the noise cannot have over the positions of a sequence."""

from collections.abc import Iterator, Mapping
from itertools import islice, product

from search_spaces.conditions import Needs, all_needs, both, impossible
from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.problems import Problem, shown
from search_spaces.rules.parameters import extremes
from search_spaces.shape import StudyShape
from search_spaces.trial_config import TrialConfig

SLACK = 1e-9  # a bound such as -2/3 is met by the number that is written for it
MOST_TRIED = 2_000  # combinations of values; a trial of the others fails with the same remedy
SMALLEST = 1e-6  # stands for the drop rates next to 0 of an interval


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
    for path, correlation, under in _stated(definition, needs, "time_correlation"):
        if isinstance(correlation, str) or correlation >= 0:
            continue
        problem = next(_refusals(definition, needs, correlation, under), None)
        if problem is not None:
            yield Problem.at(path, problem)


def _refusals(definition: StudyShape, needs: Mapping[str, Needs], correlation: float, under: Needs) -> Iterator[str]:
    parts = [
        [each for each in _stated(definition, needs, "regularizer") if each[1] == "pernodedrop"],
        [each for each in _stated(definition, needs, "mask_mode", TrialConfig.mask_mode) if each[1] == "dynamic"],
        [*_stated(definition, needs, "stir_type", TrialConfig.stir_type)],
        [*_stated(definition, needs, "drop_rate", TrialConfig.drop_rate)],
    ]
    for *others, (_, law, under_law), (_, rate, under_rate) in islice(product(*parts), MOST_TRIED):
        if isinstance(rate, str) or impossible(both(under, under_law, under_rate, *(each[2] for each in others))):
            continue
        refusal = correlation_refusal(correlation, str(law), rate)
        if refusal is not None:
            other = "" if law == "gaussian" else ', take stir_type "gaussian", which has any above -1,'
            remedy = f"raise it{other} or search it for other drop rates"
            yield f"{refusal} for stir_type {shown(law)} at drop_rate {rate:g}, got {shown(correlation)}: {remedy}"


Stated = tuple[str, Value, Needs]  # where a value stands, the value, and what a trial with it needs


def _stated(
    definition: StudyShape, needs: Mapping[str, Needs], parameter: str, default: Value | None = None
) -> Iterator[Stated]:
    """The values of a parameter that decide, `default` where the study does not set it."""
    if parameter in definition.fixed:
        yield f"fixed.{parameter}", definition.fixed[parameter], {}
        return
    dimensions = {n: d for n, d in definition.search_space.items() if (d.parameter or n) == parameter}
    for name, dimension in dimensions.items():
        for part, value in _deciding(dimension):
            under = {name: frozenset({value})} if isinstance(dimension, CategoricalDimension) else {}
            yield f"search_space.{name}.{part}", value, both(needs[name], under)
    if not dimensions and default is not None:
        yield parameter, default, {}


def _deciding(dimension: Dimension) -> list[tuple[str, Value]]:
    """The extremes; of an interval that begins at 0 also its next value, as the rate of 0 has no noise."""
    values = extremes(dimension)
    if isinstance(dimension, FloatDimension) and dimension.low == 0 < dimension.high:
        values.append(("low", dimension.step or SMALLEST))
    return values


RULES = (correlations_suit_their_laws,)
