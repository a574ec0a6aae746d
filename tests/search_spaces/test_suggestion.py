import optuna
import pytest
from optuna.trial import FixedTrial

from search_spaces import FloatDimension, TrialConfig, parse_definition, recorded_params
from search_spaces.dimensions import Value
from search_spaces.optuna import build_sampler, suggest
from tests.search_spaces.studies import categorical, own, raw, real, whole

PERNODEDROP = raw(
    search_space={
        "regularizer": categorical("dropout", "pernodedrop"),
        "stir_type": categorical("gaussian", "partial_gaussian", when={"regularizer": "pernodedrop"}),
        "noisy_fraction": real(0.1, 0.9, when={"regularizer": "pernodedrop", "stir_type": "partial_gaussian"}),
        "drop_rate": real(0.0, 0.9, step=0.1),
        "units": whole(8, 64, step=8),
        "learning_rate": real(1e-4, 1e-1, log=True),
    },
    fixed={"batch_size": 32},
)

DROPOUT: dict[str, Value] = {
    "regularizer": "dropout",
    "drop_rate": 0.30000000000000004,
    "units": 16,
    "learning_rate": 0.01,
}


def test_an_inactive_dimension_is_not_asked_for() -> None:
    config = suggest(FixedTrial(DROPOUT), parse_definition(PERNODEDROP))  # type: ignore[arg-type]
    assert config == TrialConfig(regularizer="dropout", drop_rate=0.3, units=16, learning_rate=0.01, batch_size=32)


def test_nested_conditions_open_one_after_another() -> None:
    params = DROPOUT | {"regularizer": "pernodedrop", "stir_type": "partial_gaussian", "noisy_fraction": 0.25}
    config = suggest(FixedTrial(params), parse_definition(PERNODEDROP))  # type: ignore[arg-type]
    assert (config.variant, config.noisy_fraction) == ("pernodedrop-partial_gaussian-dynamic", 0.25)


def test_a_fixed_parent_opens_its_children() -> None:
    definition = parse_definition(
        own({"x": whole(1, 9, when={"mode": "on"}), "y": whole(1, 9)}, fixed={"mode": "on", "depth": 3})
    )
    assert suggest(FixedTrial({"x": 2, "y": 3}), definition).extra == {"mode": "on", "depth": 3, "x": 2, "y": 3}  # type: ignore[arg-type]


def test_parents_are_asked_first_and_then_by_name() -> None:
    asked = []

    class Listener(FixedTrial):
        def suggest_float(self, name, *args, **kwargs):  # type: ignore[no-untyped-def]
            asked.append(name)
            return super().suggest_float(name, *args, **kwargs)

        def suggest_categorical(self, name, *args, **kwargs):  # type: ignore[no-untyped-def]
            asked.append(name)
            return super().suggest_categorical(name, *args, **kwargs)

    params = DROPOUT | {"regularizer": "pernodedrop", "stir_type": "partial_gaussian", "noisy_fraction": 0.25}
    suggest(Listener(params), parse_definition(PERNODEDROP))  # type: ignore[arg-type]
    assert asked == ["drop_rate", "learning_rate", "regularizer", "stir_type", "noisy_fraction"]


def test_a_step_is_settled_where_binary_sums_miss_it() -> None:
    dimension = FloatDimension(low=0.1, high=0.9, step=0.1)
    assert [dimension.settled(0.1 + number * 0.1) for number in range(9)] == list(dimension.values or ())
    assert dimension.settled(0.7999999999999999) == 0.8
    assert FloatDimension(low=0.1, high=0.9).settled(0.7999999999999999) == 0.7999999999999999


ALTERNATIVES = own(
    {
        "regularizer": categorical("dropout", "masksembles"),
        "drop_rate": real(0.0, 0.9, step=0.1, when={"regularizer": "dropout"}),
        "masksembles_rate": real(0.0, 0.8, step=0.2, parameter="drop_rate", when={"regularizer": "masksembles"}),
    },
    search="free",
    budget={"trials": 60},
)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsgaii"])
def test_ranges_of_one_parameter_take_turns_under_every_sampler(sampler: str) -> None:
    definition = parse_definition(ALTERNATIVES | {"sampler": {"name": sampler}})
    study = optuna.create_study(sampler=build_sampler(definition, seed=1))
    seen: dict[str, set[float]] = {"dropout": set(), "masksembles": set()}
    for _ in range(60):
        trial = study.ask()
        config = suggest(trial, definition)
        assert TrialConfig.from_params(recorded_params(definition, trial.params)) == config
        seen[config.regularizer].add(config.drop_rate)
        study.tell(trial, config.drop_rate)
    assert seen["dropout"] <= {number / 10 for number in range(10)}
    assert seen["masksembles"] <= {0.0, 0.2, 0.4, 0.6, 0.8}
    assert seen["masksembles"]
    assert seen["dropout"]


def test_a_record_shows_what_was_trained() -> None:
    definition = parse_definition(PERNODEDROP)
    assert recorded_params(definition, DROPOUT) == DROPOUT | {"drop_rate": 0.3, "batch_size": 32}
    assert recorded_params(definition, {}) == {"batch_size": 32}
    assert recorded_params(definition, {"drop_rate": 0.7000000000000001}) == {"batch_size": 32, "drop_rate": 0.7}
