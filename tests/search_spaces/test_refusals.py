"""Every rule with one definition that breaks it, and the sentence that says so."""

from typing import Any

import pytest

from pernodedrop.names import REGULARIZERS
from search_spaces import BUILT_IN_TASKS, InvalidDefinition, parse_definition
from search_spaces.parameters import PARAMETERS as KNOWN
from search_spaces.problems import listed
from tests.search_spaces.broken_shapes import SHAPES
from tests.search_spaces.broken_strategies import STRATEGIES, grid_of
from tests.search_spaces.studies import categorical, own, raw, real, space, whole

PERNODEDROP = {"regularizer": categorical("dropout", "pernodedrop")}


RANGES = [
    (space(drop_rate=real(0.5, 0.4)), "search_space.drop_rate.low must be at most high (0.4), got 0.5"),
    (
        own({"x": real(0.0, 1, log=True)}),
        "search_space.x.low must be above 0 on a log scale, got 0.0",
    ),
    (own({"x": whole(0, 8, log=True)}), "search_space.x.low must be at least 1 on a log scale, got 0"),
    (own({"x": real(1, 2, log=True, step=0.5)}), "search_space.x.step must be left out where log is true, got 0.5"),
    (own({"x": whole(1, 8, log=True, step=2)}), "search_space.x.step must be left out where log is true, got 2"),
    (own({"x": real(0, 1, step=0.0)}), "search_space.x.step must be above 0, got 0.0"),
    (own({"x": whole(0, 1, step=-1)}), "search_space.x.step must be above 0, got -1"),
    (own({"x": real(0, 1, step=2)}), "search_space.x.step must be at most high - low (1.0), got 2.0"),
    (
        own({"x": real(0, 1, step=0.3)}),
        "search_space.x.step must divide high - low (1.0) into whole steps (the last one reached is 0.9), got 0.3",
    ),
    (
        own({"x": whole(1, 10, step=4)}),
        "search_space.x.step must divide high - low (9) into whole steps (the last one reached is 9), got 4",
    ),
    (
        own({"x": real(0, 1, step=1e-7)}),
        "search_space.x.step must be at least a millionth of the larger bound (1.0), got 1e-07",
    ),
    (
        own({"x": categorical("a", "b", "a")}),
        'search_space.x.choices[2] repeats choices[0] (Optuna takes 1, 1.0 and true for one), got "a"',
    ),
    (
        own({"x": categorical(1, True)}),
        "search_space.x.choices[1] repeats choices[0] (Optuna takes 1, 1.0 and true for one), got true",
    ),
]

PARAMETERS = [
    (
        raw(task={"name": "mnist"}),
        f'task.name must be one of {", ".join(BUILT_IN_TASKS)}, external, or an own package.module:Class, got "mnist"',
    ),
    (space(drop_rate=real(0, 1.2)), "search_space.drop_rate.high must be below 1, got 1.2"),
    (space(drop_rate=real(-0.1, 0.5)), "search_space.drop_rate.low must be at least 0, got -0.1"),
    (space(drop_rate=categorical(0.5, 1.0)), "search_space.drop_rate.choices[1] must be below 1, got 1.0"),
    (
        space(drop_rate=categorical("0.5")),
        'search_space.drop_rate.choices[0] must be a number, got "0.5" (that is text: write 0.5 without quotes)',
    ),
    (space(drop_rate=categorical(True)), "search_space.drop_rate.choices[0] must be a number, got true"),
    (space(noisy_fraction=real(0, 1.1)), "search_space.noisy_fraction.high must be at most 1, got 1.1"),
    (space(learning_rate=real(0, 1)), "search_space.learning_rate.low must be above 0, got 0.0"),
    (space(units=whole(0, 8)), "search_space.units.low must be at least 1, got 0"),
    (space(units=whole(1, 65537)), "search_space.units.high must be at most 65536, got 65537"),
    (space(units=categorical(32.0)), "search_space.units.choices[0] must be a whole number, got 32.0 (write 32)"),
    (space(units=real(1, 8)), 'search_space.units.type must be "int" or "categorical", got "float"'),
    (space(regularizer=whole(1, 8)), 'search_space.regularizer.type must be "categorical", got "int"'),
    (space(batch_size=categorical(0)), "search_space.batch_size.choices[0] must be at least 1, got 0"),
    (
        space(regularizer=categorical("dropuot")),
        f'search_space.regularizer.choices[0] must be {listed(REGULARIZERS)}, got "dropuot": did you mean "dropout"?',
    ),
    (
        space(mask_mode=categorical("static")),
        'search_space.mask_mode.choices[0] must be "dynamic" or "fixed", got "static"',
    ),
    (raw(fixed={"learning_rate": -1}), "fixed.learning_rate must be above 0, got -1"),
    (raw(fixed={"units": True}), "fixed.units must be a whole number, got true"),
    (
        raw(fixed={"activation": "step"}),
        'fixed.activation must be "relu", "leaky_relu", "elu", "gelu", "silu", '
        '"tanh", "sigmoid" or "identity", got "step"',
    ),
    (
        space(stir_type=categorical("bernoulli", "custom")),
        "search_space.stir_type.choices[1] needs an own task "
        '(package.module:Class) that supplies the mask, got "custom"',
    ),
    (
        raw(fixed={"stir_type": "custom"}),
        'fixed.stir_type needs an own task (package.module:Class) that supplies the mask, got "custom"',
    ),
    (
        space(droprate=real(0, 0.5)),
        "search_space.droprate is no parameter of the built-in tasks: did you mean drop_rate?",
    ),
    (
        raw(fixed={"zzz": 0.9}),
        f"fixed.zzz is no parameter of the built-in tasks: known are {', '.join(KNOWN)}",
    ),
    (
        space(rate=real(0, 0.5, parameter="droprate")),
        "search_space.rate.parameter is no parameter of the built-in tasks: did you mean drop_rate?",
    ),
    (
        raw(fixed={"drop_rate": 0.5}),
        "fixed.drop_rate is searched as well (search_space.drop_rate): keep one of the two",
    ),
    (
        raw(search_space={"rate": real(0, 0.5, parameter="drop_rate")}, fixed={"drop_rate": 0.5}),
        "fixed.drop_rate is searched as well (search_space.rate): keep one of the two",
    ),
]

CONDITIONS = [
    (
        space(drop_rate=real(0, 0.5, when={"regulariser": "dropout"})),
        "search_space.drop_rate.when.regulariser names neither a dimension of search_space nor a fixed value",
    ),
    (
        own({"x": whole(1, 2), "y": whole(1, 2, when={"x": 1})}),
        'search_space.y.when.x must name a categorical dimension or a fixed value, got type "int"',
    ),
    (
        space(**PERNODEDROP, stir_type=categorical("gaussian", when={"regularizer": ["pernodedrop", "dropconnect"]})),
        'search_space.stir_type.when.regularizer must be "dropout" or "pernodedrop", got "dropconnect"',
    ),
    (
        own({"x": categorical(1, 2), "y": whole(1, 2, when={"x": True})}),
        "search_space.y.when.x must be 1 or 2, got true",
    ),
    (own({"x": categorical("a", when={"x": "a"})}), "search_space.x.when depends on itself"),
    (
        own(
            {
                "x": categorical("a", when={"y": "b"}),
                "y": categorical("b", when={"z": "c"}),
                "z": categorical("c", when={"x": "a"}),
            }
        ),
        "search_space.x.when forms a cycle: x -> y -> z -> x",
    ),
    (
        raw(search_space={"drop_rate": real(0, 0.5)}, fixed={}),
        'search_space.drop_rate has no effect where regularizer is "none": remove it, or give regularizer a value '
        "beside which it has one",
    ),
    (
        space(
            regularizer=categorical("dropout", "pernodedrop"),
            stir_type=categorical("gaussian", "partial_gaussian", when={"regularizer": "pernodedrop"}),
            noisy_fraction=real(0.1, 0.9, when={"regularizer": "dropout"}),
        ),
        'search_space.noisy_fraction has no effect where regularizer is "dropout": give it when: {regularizer: '
        "[pernodedrop], stir_type: [partial_gaussian]}, or remove it",
    ),
    (
        space(momentum=real(0, 0.9)),
        'search_space.momentum has no effect where optimizer is "adam": remove it, or give optimizer a value beside '
        "which it has one",
    ),
    (
        raw(
            fixed={"regularizer": "dropout"},
            task={"name": "package.module:Task"},
            search_space={"stir_type": categorical("gaussian", when={"regularizer": "pernodedrop"})},
        ),
        'search_space.stir_type.when.regularizer can never hold: regularizer is fixed to "dropout", not to '
        '"pernodedrop"',
    ),
    (
        own(
            {
                "r": categorical("a", "b"),
                "s": categorical("g", "h", when={"r": "b"}),
                "t": whole(1, 2, when={"r": "a", "s": "g"}),
            }
        ),
        'search_space.t.when can never hold: no value of r serves all of its conditions (t needs "a", s needs "b")',
    ),
    (
        own(
            {
                "r": categorical("a", "b", "c"),
                "s": categorical("g", when={"r": ["a", "b"]}),
                "t": categorical("g", when={"r": ["b", "c"]}),
                "u": categorical("g", when={"s": "g", "t": "g"}),
                "v": whole(1, 2, when={"u": "g", "r": ["a", "c"]}),
            }
        ),
        'search_space.v.when can never hold: no value of r serves all of its conditions (v needs "a" or "c", u needs '
        '"b")',
    ),
    (
        own({"x": whole(1, 2), "y": whole(3, 4, parameter="x")}),
        "search_space.y sets the same parameter as x: give the two conditions that exclude each other",
    ),
    (
        own(
            {
                "r": categorical("a", "b"),
                "x": whole(1, 2, when={"r": "a"}),
                "y": real(3, 4, parameter="x", when={"r": "b"}),
            }
        ),
        "search_space.y sets the same parameter as x: only the ranges may differ, not type, log or choices",
    ),
]


@pytest.mark.parametrize(("bad", "message"), SHAPES + RANGES + PARAMETERS + CONDITIONS + STRATEGIES)
def test_a_broken_rule_is_named_with_its_path_and_value(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(bad)
    assert str(refused.value) == message
    (problem,) = refused.value.problems
    assert message.startswith(problem.path)


@pytest.mark.parametrize("data", [None, 3, "text", [], [("name", "x")]])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^definition must be an object, got "):
        parse_definition(data)


def test_a_flood_of_problems_is_cut() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(raw(**{f"field{number}": 1 for number in range(1000)}))
    assert len(refused.value.problems) == 50

    alike = {f"x{number}": whole(1, 2, parameter="x") for number in range(60)}
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(own(alike))
    assert len(refused.value.problems) == 50


VALID = [
    own({"x": real(0.1, 0.1, step=0.5), "y": real(-1, 1, step=0.25), "z": whole(3, 3, step=7)}),
    own({"x": categorical("1", 1), "y": categorical(False)}),
    own({"stir_type": categorical("custom")}),
    own(
        {
            "r": categorical("a", "b", "c"),
            "s": categorical("g", "h", when={"r": ["a", "b"]}),
            "t": whole(1, 2, when={"r": ["b", "c"], "s": "g"}),
        }
    ),
    raw(
        fixed={"regularizer": "pernodedrop"},
        search_space={"stir_type": categorical("gaussian", when={"regularizer": ["dropconnect", "pernodedrop"]})},
    ),
    raw(objectives=[{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]),
    raw(objectives=[{"metric": "train_hessian_top"}], fixed={"regularizer": "dropout", "curvature_every": 1}),
    raw(objectives=[{"metric": "train_mask_noise"}], fixed={"regularizer": "dropout", "mask_noise_pairs": 4}),
    raw(pruner={"name": "wilcoxon"}, repeats=3),
    raw(pruner={"name": "asha", "min_epochs": 7, "reduction_factor": 2}),
    raw(pruner={"name": "hyperband", "min_epochs": 8}, repeats=2),  # the first repeat decides on the second
    raw(pruner={"name": "successive_halving", "min_epochs": 2, "min_early_stopping_rate": 1}, repeats=2),
    grid_of(x=whole(1, 1000), y=whole(1, 1000)),
    raw(search_space={}, sampler={"name": "grid"}, budget=None),
]


@pytest.mark.parametrize("good", VALID)
def test_what_only_looks_wrong_is_accepted(good: dict[str, Any]) -> None:
    assert parse_definition(good).trials >= 1
