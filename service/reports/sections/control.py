"""The control at rate 0."""

from collections import defaultdict

from service.reports.found.comparison import values_by_repeat
from service.reports.found.results import Results
from service.reports.markup import Html, element
from service.reports.sections.section import section
from service.reports.words.wording import listing, number
from service.statistics import ZeroRate, zero_rate_control

NOT_SETTINGS = ("regularizer", "stir_type", "mask_mode", "drop_rate", "noisy_fraction")  # without effect at rate 0


def control(results: Results) -> Html | None:
    if results.study.definition.task.is_external:
        return None  # what rate 0 means is the loop's affair
    noise = zero_rate(results)
    if noise is None:
        return None
    metric = results.objective.metric
    same = f"At rate 0 {listing(noise.variants)} are the same function"
    if noise.widest == 0:
        return section(
            "Control at rate 0",
            element("p", f"{same}: under equal seeds their {metric} agrees to the last digit."),
        )
    differ = (
        f"{same}. In {noise.trainings} trainings there, with equal settings, their {metric} still differed by up to "
        f"{number(noise.widest, 3)} (standard deviation {number(noise.deviation, 3)})."
    )
    return section("Control at rate 0", element("p", differ), element("p", _meaning(results, noise)))


def zero_rate(results: Results) -> ZeroRate | None:
    """Pool all trainings at rate 0 by seed: under one seed, equal settings differ by the variant alone."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial in results.best_first:
        if trial.variant == "none" or trial.params.get("drop_rate") == 0:
            settings = sorted((n, str(v)) for n, v in trial.params.items() if n not in NOT_SETTINGS)
            for repeat, value in enumerate(values_by_repeat(results, trial)):
                values[f"{settings} {repeat}"][trial.variant].append(value)
    return zero_rate_control(values)


def _meaning(results: Results, noise: ZeroRate) -> str:
    if results.study.definition.repeats > 1:
        return "That much is luck in one training; the comparison under shared seeds takes it into account."
    first, second = (results.ranking[place].best_values or [0.0] for place in (0, 1))
    gap = abs(second[0] - first[0])
    luck = "no more than that: their order may be luck" if gap <= noise.widest else "more than that"
    return f"The first two variants of the ranking are {number(gap, 3)} apart, which is {luck}."
