"""Spaces that samplers have had trouble with, every sampler, and how they are played in memory."""

from collections.abc import Iterator
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from search_spaces import InvalidDefinition, StudyDefinition, parse_definition, recorded_params
from search_spaces.dimensions import matching
from search_spaces.optuna import build_sampler, given_params, suggest
from tests.search_spaces.studies import categorical, own, real, whole

RATE = real(0.0, 1.0)
SGD, ADAM = {"opt": "sgd"}, {"opt": "adam"}
OPT = categorical("sgd", "adam")
DEEP: dict[str, Any] = {"a": categorical(True, False)}
for above, name in zip("abcd", "bcde", strict=True):
    DEEP[name] = categorical(True, False, when={above: True})
SHAPES: dict[str, dict[str, Any]] = {
    "empty": {},
    "steps": {"x": real(0.1, 0.7, step=0.2), "y": real(0.0, 0.9, step=0.1)},
    "one value each": {"x": real(0.5, 0.5), "y": whole(3, 3), "z": categorical("a"), "u": real(1e-5, 1e-5, log=True)},
    "one value and others": {"x": real(0.5, 0.5), "y": whole(1, 1, log=True), "z": categorical("a"), "w": RATE},
    "conditions on one value": {"z": categorical("a"), "x": whole(1, 9, when={"z": "a"}), "y": whole(1, 9)},
    "tiny logarithmic": {"x": real(5e-324, 1e-310, log=True), "y": real(1e-300, 1e-290, log=True)},
    "wide": {"x": real(5e-324, 2.0**53, log=True), "y": real(-(2.0**53), 2.0**53)},
    "narrow": {"x": real(1.0, 1.0000000000000002), "y": real(1.0, 1.0000000000000002, log=True)},
    "enormous": {"x": whole(-(2**53), 2**53), "y": whole(1, 2**53, log=True)},
    "a hundred million": {"x": whole(0, 10**8), "y": real(0.0, 1.0, step=1e-6)},
    "mixed choices": {"x": categorical("1", 1, "True", 0.5, ""), "y": categorical(True, "a", 2, False, "None")},
    "strange choices": {"x": categorical("null", "NaN", "inf", "ü", "u\u0308", "🚀", "<b>", "a,b", "%s", "{0}", "\\")},
    "many choices": {"x": categorical(*(f"c{n}" for n in range(256))), "y": categorical(*range(256))},
    "one conditional": {"opt": OPT, "mom": {**RATE, "when": SGD}, "wd": real(1e-6, 1e-2, log=True)},
    "two conditional": {
        "opt": OPT, "mom": {**RATE, "when": SGD}, "beta": {**RATE, "when": ADAM}, "wd": RATE, "lr": RATE
    },
    "conditional alone": {"opt": OPT, "mom": whole(1, 9, when=SGD), "beta": whole(1, 9, when=ADAM)},
    "alternatives": {
        "opt": OPT,
        "sgd": real(0.01, 1, log=True, parameter="lr", when=SGD),
        "adam": real(1e-5, 1e-2, log=True, parameter="lr", when=ADAM),
        "w": RATE,
    },
    "alternatives in steps": {
        "opt": OPT,
        "sgd": real(0.0, 0.9, step=0.1, parameter="lr", when=SGD),
        "adam": real(0.0, 0.8, step=0.2, parameter="lr", when=ADAM),
        "n": whole(1, 3),
    },
    "four deep": {**DEEP, "x": whole(1, 50, when={"e": True}), "w": whole(1, 40)},
    "three ways": {
        "a": categorical(0, "1", 2.5),
        "b": categorical(1, 2, 3, when={"a": [0, 2.5]}),
        "c": whole(1, 5, when={"b": [1, 3]}),
        "w": RATE,
    },
}  # fmt: skip
SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {"name": "tpe", "n_startup_trials": 3},
    "tpe without groups": {"name": "tpe", "n_startup_trials": 3, "group": False},
    "tpe one by one": {"name": "tpe", "n_startup_trials": 3, "multivariate": False, "group": False},
    "random": {"name": "random"},
    "grid": {"name": "grid"},
    "sobol": {"name": "qmc"},
    "halton": {"name": "qmc", "qmc_type": "halton", "scramble": False},
    "cmaes": {"name": "cmaes", "popsize": 4},
    "cmaes without margin": {"name": "cmaes", "popsize": 4, "with_margin": False},
    "gp": {"name": "gp", "n_startup_trials": 3},
    "nsgaii": {"name": "nsgaii", "population_size": 3},
}
WAYS: dict[str, dict[str, Any]] = {
    "free": {"search": "free"},
    "fair": {"search": "fair"},
    "race": {"search": "race"},
    "a lag": {"search": "free", "lag": 3},
    "a race with a lag": {"search": "race", "lag": 3},
    "a known start": {"search": "free", "start_with": True},
    "two objectives": {"search": "free", "objectives": [{"metric": "one"}, {"metric": "two"}]},
}
REGULARIZER = categorical("dropout", "pernodedrop")
TRIALS = 14
AT_ONCE = 3  # trials in training


def definitions(sampler: str, shape: str, way: str) -> Iterator[StudyDefinition]:
    """The study, unless it is refused; a refusal is lines that name their field."""
    changes = dict(WAYS[way])
    space = SHAPES[shape]
    options = {**SAMPLERS[sampler], "seed": 1, **({"lag": changes.pop("lag")} if "lag" in changes else {})}
    if changes["search"] != "free":
        space = {**space, "regularizer": REGULARIZER}
    if changes.pop("start_with", False):
        name, dimension = next(iter(space.items()), ("x", None))
        first = {} if dimension is None else {name: dimension.get("choices", [dimension.get("low")])[0]}
        changes["start_with"] = [first] if first else []
    budget = None if sampler == "grid" else {"trials": TRIALS}
    try:
        yield parse_definition(own(space, sampler=options, **{**changes, "budget": budget}))
    except InvalidDefinition as refused:
        assert all(problem.message.startswith(f"{problem.path} ") for problem in refused.problems)


def play(definition: StudyDefinition) -> list[dict[str, Any]]:
    """The parameters of the study's trials, some of which are in training at once, each by a worker of its own."""
    directions = ["minimize"] * len(definition.objectives)
    search = optuna.create_study(directions=directions)
    training: list[tuple[Trial, list[float]]] = []
    given = dict(enumerate({**known.params} for known in definition.start_with))
    for place in range(min(TRIALS, definition.trials)):
        while len(training) == AT_ONCE:
            search.tell(*training.pop(0))
        search.sampler = build_sampler(definition, 1000 + place)
        trial = begun(search, given_params(search, definition, place, given), place)
        _ = trial.relative_params
        suggest(trial, definition)
        training.append((trial, [value_of(trial.params)] * len(directions)))
    for each in training:
        search.tell(*each)
    return [recorded_params(definition, trial.params) for trial in search.trials]


def begun(search: optuna.Study, given: Any, place: int) -> Trial:
    """A trial that has begun as a worker begins it."""
    attributes = {} if given is None else {"fixed_params": dict(given)}
    search.add_trial(
        optuna.trial.create_trial(state=TrialState.RUNNING, system_attrs=attributes, user_attrs={"ordinal": place})
    )
    search._thread_local.cached_all_trials = None
    return Trial(search, search.get_trials(deepcopy=False)[-1]._trial_id)


def value_of(params: dict[str, Any]) -> float:
    return float(sum(value if isinstance(value, int | float) else len(value) for value in params.values()))


def assert_suits(definition: StudyDefinition, params: dict[str, Any]) -> None:
    """The parameters are those of the active dimensions, each a value of its dimension."""
    values: dict[str, Any] = {}
    for name in definition.order:
        dimension = definition.search_space[name]
        parameter = dimension.parameter or name
        if all(parent in values and values[parent] in allowed for parent, allowed in dimension.when.items()):
            values[name] = params.pop(parameter)
            assert matching(dimension, values[name]) == values[name]
    assert not params
