"""How many seeds would show a difference: the promised power, by simulation, and what is said of it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from service.reports.found.confirmed import Confirmation, Confirmed
from service.reports.words.more_seeds import more_seeds
from service.statistics import AllPairs, mean_interval
from service.statistics.all_pairs import ALPHA
from service.statistics.seeds_needed import POWER, seeds_needed
from tests.reports.samples import params_of, trial_of

STUDIES = 2_000


@pytest.mark.parametrize(("effect", "configurations"), [(1.0, 11), (3.0, 4)])
def test_with_so_many_seeds_four_of_five_studies_show_the_difference(effect: float, configurations: int) -> None:
    seeds = seeds_needed(effect, 1.0, configurations)
    assert seeds is not None
    shares = [_shown(effect, count, configurations) for count in (seeds - 1, seeds)]
    error = math.sqrt(POWER * (1 - POWER) / STUDIES)
    assert shares[0] - 4 * error < POWER < shares[1] + 4 * error
    assert shares[1] < POWER + 0.1, "one seed fewer would do"


def _shown(effect: float, seeds: int, configurations: int) -> float:
    """The share of studies whose interval lies above 0, with the length that `mean_interval` has in the first one."""
    confidence = 1 - ALPHA / math.comb(configurations, 2)
    drawn = np.random.default_rng(3).normal(effect, 1.0, size=(STUDIES, seeds))
    first = mean_interval(drawn[0], confidence)
    error = drawn[0].std(ddof=1) / math.sqrt(seeds)
    reach = (first.high - first.low) / 2 / error  # in standard errors, the same for all
    return float((drawn.mean(axis=1) > reach * drawn.std(axis=1, ddof=1) / math.sqrt(seeds)).mean())


def test_the_number_grows_as_the_difference_shrinks_and_ends() -> None:
    assert [seeds_needed(difference, 0.5, 5) for difference in (5e9, 1.0, 0.5, 0.25)] == [2, 8, 18, 58]
    assert seeds_needed(-0.5, 0.5, 5) == seeds_needed(0.5, 0.5, 5)
    assert seeds_needed(0.01, 0.5, 5) is None
    assert seeds_needed(0.0, 0.5, 5) is None
    for configurations, deviation in ((1, 0.5), (2, 0.0), (2, math.inf)):
        with pytest.raises(ValueError, match=r"must be positive|needs at least 2"):
            seeds_needed(0.5, deviation, configurations)


def confirmation_of(values: Sequence[Sequence[float]]) -> Confirmation:
    """Variants with these test losses, the best mean first."""
    variants = ["dropout", "dropconnect", "gaussian_dropout", "shakeout", "tabu", "ninr", "r_drop", "standout"]
    found = [
        Confirmed(trial_of(place, None, params=params_of(variant)), {"test_loss": tuple(losses)})
        for place, (variant, losses) in enumerate(zip(variants, values, strict=False))
    ]
    return Confirmation("test_loss", ("test_loss",), maximize=False, found=tuple(found))


FIRST = [0.10, 0.12, 0.11, 0.13, 0.09]


def test_the_sentence_has_the_number_and_the_command() -> None:
    values = [FIRST, [0.11, 0.10, 0.14, 0.14, 0.11], [0.5, 0.53, 0.51, 0.54, 0.5]]
    [said] = more_seeds("quickstart", confirmation_of(values))
    assert said.startswith("Two variants cannot be told apart under 5 seeds; about ")
    number = int(said.split("about ")[1].split()[0])
    assert number == seeds_needed(0.01, math.sqrt(5) * AllPairs(np.array(values)).errors[1, 0], 3)
    assert said.endswith(f"(0.01 to dropconnect): `pernodedrop confirm quickstart --repeats {number}`.")


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (
            0.0,
            "dropconnect has the same mean as the first, so these do not say how many would part them: "
            "`pernodedrop confirm quickstart --repeats 10` adds seeds.",
        ),
        (0.0002, "`pernodedrop confirm quickstart --until decided --indifference 0.0004`."),
        (0.003, "--until decided --most-repeats "),
    ],
)
def test_a_difference_that_hardly_any_seeds_show_is_named_so(shift: float, words: str) -> None:
    other = [value + shift + wobble for value, wobble in zip(FIRST, [0.02, -0.02, 0.01, -0.01, 0.0], strict=True)]
    [said] = more_seeds("quickstart", confirmation_of([FIRST, other]))
    assert words in said
    assert ("more than 1,000" in said) == (shift == 0.0002)


FINE = [0.1234567, 0.1345678, 0.1198765]


def test_one_training_by_two_names_is_never_parted() -> None:
    [said] = more_seeds("quickstart", confirmation_of([FINE, FINE]))
    assert said.endswith(
        "the same figure as the first under every seed: they train alike, and no number would part them."
    )


@pytest.mark.parametrize("scale", [1e-4, 1e5, 1e9])
def test_the_command_is_read_at_any_scale(scale: float) -> None:
    """No sign of mathematics, and no comma between thousands."""
    wobbles = [0.02, -0.02, 0.01, -0.01, 0.0]
    values = [[scale * value for value in FIRST]]
    values += [[scale * (value + 0.0002 + wobble) for value, wobble in zip(FIRST, wobbles, strict=True)]]
    [said] = more_seeds("quickstart", confirmation_of(values))
    margin = float(said.rpartition("--indifference ")[2].removesuffix("`."))
    assert margin == pytest.approx(0.0004 * scale)


def test_a_winner_needs_no_more_seeds() -> None:
    assert more_seeds("quickstart", confirmation_of([FIRST, [value + 0.5 for value in FIRST]])) == []
    assert more_seeds("quickstart", confirmation_of([FIRST])) == []


def test_three_seeds_that_agree_by_chance_promise_nothing() -> None:
    """A pair's own variance of few seeds may be tiny; what its interval takes is not."""
    luck = np.random.default_rng(0).normal(0, 0.02, size=(6, 3))
    values = [[0.06, 0.07, 0.08], [0.064, 0.073, 0.084], *(0.08 + luck).tolist()]
    [said] = more_seeds("quickstart", confirmation_of(values))
    own = np.subtract(values[1], values[0])
    assert seeds_needed(own.mean(), own.std(ddof=1), len(values)) == 5
    assert said.startswith("Eight variants cannot be told apart under 3 seeds; about ")
    assert int(said.split("about ")[1].split()[0]) > 20
    assert said.endswith("So few as 3 seeds say little of the scatter: it may take several times as many.")
