"""Every sampler on a small space: each configuration at most once, as long as there are new ones."""

from collections import Counter
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from search_spaces import load_preset, parse_definition
from search_spaces.optuna import build_pruner, build_sampler, given_params, suggest
from search_spaces.optuna.gaussian import MOST_VALUES, _as_interval, _on_grid
from tests.search_spaces.shapes import SAMPLERS, begun, play
from tests.search_spaces.studies import categorical, own, real, whole

TINY = {"a": whole(1, 4), "b": categorical("x", "y", "z")}


def configurations(trials: int, **changes: object) -> list[object]:
    tpe = {"search": "free", "sampler": {"name": "tpe"}, "budget": {"trials": trials}}
    definition = parse_definition({**load_preset("quickstart"), **tpe, **changes})
    study = optuna.create_study(pruner=build_pruner(definition))
    seen = []
    for number in range(trials):
        study.sampler = build_sampler(definition, number)
        trial = study.ask()
        config = suggest(trial, definition)
        seen.append(config)
        study.tell(trial, config.drop_rate + (config.variant != "dropout"))  # one corner is best by far
    return seen


def test_no_configuration_is_drawn_twice() -> None:
    drawn = configurations(60)
    assert len(set(map(str, drawn))) == len(drawn)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"])
def test_a_space_is_trained_to_its_last_configuration(sampler: str) -> None:
    definition = parse_definition(own(TINY, sampler=SAMPLERS[sampler], search="free", budget={"trials": 12}))
    assert len({repr(params) for params in play(definition)}) == 12


def test_an_exhausted_space_goes_on() -> None:
    space = {"units": {"type": "categorical", "choices": [32, 64]}}
    drawn = configurations(14, search_space=space, fixed={"regularizer": "dropout"})
    assert {str(config) for config in drawn} == {str(config) for config in drawn[:2]}


def test_configurations_that_differ_in_nothing_with_an_effect_are_the_same() -> None:
    """A free search by CMA-ES keeps the drop rate without a condition, so that it can model it."""
    changes: dict[str, Any] = {"sampler": {"name": "cmaes"}, "budget": {"trials": 10}, "search": "free"}
    space = {"regularizer": categorical("none", "dropout"), "drop_rate": real(0.1, 0.9, step=0.1)}
    definition = parse_definition({**load_preset("quickstart"), **changes, "search_space": space})
    assert not definition.search_space["drop_rate"].when
    drawn = Counter(params["regularizer"] for params in play(definition))
    assert drawn == {"none": 1, "dropout": 9}


@pytest.mark.parametrize("lag", [None, 4])
def test_the_variants_of_a_search_have_each_a_quasi_random_sequence(lag: int | None) -> None:
    """Every eighth part of the range has two of a variant's sixteen points, though it has every fourth trial."""
    variants = categorical("dropout", "dropconnect", "gaussian_dropout", "concrete_dropout")
    space = {"regularizer": variants, "x": real(0, 1)}
    sampler = {"name": "qmc", "lag": lag}
    definition = parse_definition(own(space, sampler=sampler, search="fair", budget={"trials": 64}))
    search = optuna.create_study()
    parts: Counter[tuple[str, int]] = Counter()
    for place in range(64):
        search.sampler = build_sampler(definition, place)
        trial = begun(search, given_params(search, definition, place), place)
        suggest(trial, definition)
        search.tell(trial, 1.0)
        parts[trial.params["regularizer"], int(8 * trial.params["x"])] += 1
    assert set(parts.values()) == {2}


def test_a_search_by_cmaes_goes_on_where_an_earlier_release_had_modelled_a_conditional_dimension() -> None:
    space = {"opt": categorical("a", "b"), "x": real(0, 1), "y": real(0, 1, when={"opt": "a"})}
    definition = parse_definition(own(space, sampler={"name": "cmaes", "popsize": 4}, budget={"trials": 20}))
    search = optuna.create_study()
    unit = FloatDistribution(0.0, 1.0)
    for number in range(5):
        search.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=number,
                params={"x": 0.1, "y": 0.2},
                distributions={"x": unit, "y": unit},
                system_attrs={"cmawm:generation": 0, "x_for_tell": [0.1, 0.2]},
            )
        )
    for number in range(10):
        search.sampler = build_sampler(definition, number)
        trial = search.ask()
        suggest(trial, definition)
        search.tell(trial, trial.params["x"])
    assert {trial.system_attrs.get("cmawm:generation", 0) for trial in search.trials} >= {0, 1}


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (IntDistribution(0, 10**8), (0, 10**8)),
        (IntDistribution(-(2**53), 2**53), (-(2**53), 2**53)),
        (IntDistribution(1, 2**53, log=True), (1, 2**53)),
        (FloatDistribution(0.0, 1.0, step=1e-6), (0.0, 1.0)),
    ],
)
def test_a_gaussian_process_takes_a_wide_range_for_an_interval(distribution: Any, values: tuple[Any, Any]) -> None:
    """Optuna writes down every value of a range: 800 MB for the first of these, 64 PiB for the second."""
    interval = _as_interval(distribution)
    assert isinstance(interval, FloatDistribution)
    assert interval.step is None
    ends = tuple(_on_grid(distribution, end) for end in (interval.low, interval.high))
    assert ends == values
    assert [type(end) for end in ends] == [type(value) for value in values]
    narrow = IntDistribution(1, MOST_VALUES)
    assert _as_interval(narrow) is narrow
