import os
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import optuna
import pytest
from optuna import pruners, samplers

from search_spaces import StudyDefinition, fixed_params, parse_definition
from search_spaces.optuna import build_pruner, build_sampler, suggest
from search_spaces.optuna.distinct import DistinctSampler
from search_spaces.optuna.seen import SeeingSampler
from tests.search_spaces.studies import categorical, raw, real, study, whole

SPACE = {
    "regularizer": categorical("dropout", "pernodedrop"),
    "stir_type": categorical("bernoulli", "gaussian", when={"regularizer": "pernodedrop"}),
    "drop_rate": real(0.0, 0.9, step=0.1),
    "units": whole(8, 64, step=8),
}

SAMPLERS: list[tuple[dict[str, Any], type[samplers.BaseSampler]]] = [
    ({"name": "tpe"}, samplers.TPESampler),
    ({"name": "tpe", "multivariate": False, "group": False, "constant_liar": False}, samplers.TPESampler),
    ({"name": "tpe", "group": False}, samplers.TPESampler),
    ({"name": "random"}, samplers.RandomSampler),
    ({"name": "grid"}, samplers.RandomSampler),
    ({"name": "qmc", "qmc_type": "halton", "scramble": False}, samplers.QMCSampler),
    ({"name": "qmc"}, samplers.QMCSampler),
    ({"name": "cmaes", "consider_pruned_trials": True}, samplers.CmaEsSampler),
    ({"name": "cmaes", "with_margin": False, "popsize": 4}, samplers.CmaEsSampler),
    ({"name": "gp", "n_startup_trials": 3, "deterministic_objective": True}, samplers.GPSampler),
    ({"name": "nsgaii", "population_size": 4, "mutation_prob": 0.2}, samplers.NSGAIISampler),
]


def innermost(sampler: samplers.BaseSampler) -> samplers.BaseSampler:
    while isinstance(sampler, SeeingSampler):
        sampler = sampler._base
    return sampler


def searched(definition: StudyDefinition, seed: int, trials: int = 12) -> list[dict[str, Any]]:
    """The parameters of a study that likes small drop rates."""
    search = optuna.create_study(sampler=build_sampler(definition, seed), pruner=build_pruner(definition))
    for _ in range(trials):
        trial = search.ask()
        search.tell(trial, suggest(trial, definition).drop_rate)
    return [trial.params for trial in search.trials]


@pytest.mark.parametrize(("options", "kind"), SAMPLERS)
def test_a_sampler_is_built_by_name_and_searches(options: dict[str, Any], kind: type[samplers.BaseSampler]) -> None:
    definition = study(search_space=SPACE, sampler=options, search="free")
    assert isinstance(innermost(build_sampler(definition, seed=1)), kind)
    one = searched(definition, seed=1)
    assert one == searched(definition, seed=1)
    assert any(("stir_type" in params) != (params["regularizer"] == "dropout") for params in one)


@pytest.mark.parametrize("name", ["tpe", "random", "cmaes", "nsgaii"])
def test_processes_with_different_seeds_draw_differently(name: str) -> None:
    definition = study(search_space=SPACE, sampler={"name": name}, search="free")
    assert searched(definition, seed=1) != searched(definition, seed=2)


def test_processes_share_one_quasi_random_sequence() -> None:
    definition = study(search_space={"drop_rate": real(0.0, 0.9)}, sampler={"name": "qmc", "seed": 3})
    one, other = searched(definition, seed=1), searched(definition, seed=2)
    assert one == other


def test_a_sampler_gets_its_options() -> None:
    sampler = build_sampler(study(sampler={"name": "tpe", "n_startup_trials": 3, "n_ei_candidates": 7}), seed=1)
    assert isinstance(sampler, DistinctSampler)
    base = sampler._base
    assert (base._n_startup_trials, base._n_ei_candidates) == (3, 7)  # type: ignore[attr-defined]
    assert (base._group, base._multivariate, base._constant_liar) == (True, True, True)  # type: ignore[attr-defined]


def test_grid_runs_take_their_parameters_from_the_grid() -> None:
    definition = parse_definition(raw(search_space=SPACE, sampler={"name": "grid"}, budget=None))
    search = optuna.create_study(sampler=build_sampler(definition, seed=1))
    for ordinal in range(definition.trials):
        params = fixed_params(definition, ordinal)
        assert params is not None
        search.enqueue_trial(params)
        trial = search.ask()
        suggest(trial, definition)
        assert trial.params == params
        search.tell(trial, 1.0)
    assert len({repr(sorted(trial.params.items())) for trial in search.trials}) == definition.trials == 3 * 10 * 8


PRUNERS: list[tuple[dict[str, Any], type[pruners.BasePruner], dict[str, Any]]] = [
    ({"name": "none"}, pruners.NopPruner, {}),
    (
        {"name": "median", "n_startup_trials": 2, "n_warmup_epochs": 3, "interval_epochs": 4, "n_min_trials": 6},
        pruners.MedianPruner,
        {"_n_startup_trials": 2, "_n_warmup_steps": 3, "_interval_steps": 4, "_n_min_trials": 6},
    ),
    (
        {"name": "hyperband", "min_epochs": 2, "reduction_factor": 4},
        pruners.HyperbandPruner,
        {"_min_resource": 2, "_max_resource": 8, "_reduction_factor": 4},
    ),
    (
        {"name": "successive_halving", "min_epochs": 2, "min_early_stopping_rate": 1, "bootstrap_count": 2},
        pruners.SuccessiveHalvingPruner,
        {"_min_resource": 2, "_reduction_factor": 4, "_min_early_stopping_rate": 1, "_bootstrap_count": 2},
    ),
    (
        {"name": "wilcoxon", "p_threshold": 0.2, "n_startup_repeats": 3},
        pruners.WilcoxonPruner,
        {"_p_threshold": 0.2, "_n_startup_steps": 3},
    ),
]


@pytest.mark.parametrize(("options", "kind", "settings"), PRUNERS)
def test_a_pruner_is_built_by_name(options: dict[str, Any], kind: type, settings: dict[str, Any]) -> None:
    pruner = build_pruner(study(pruner=options, repeats=4))
    assert type(pruner) is kind
    assert {name: getattr(pruner, name) for name in settings} == settings


@pytest.mark.parametrize("name", ["median", "hyperband", "successive_halving", "wilcoxon"])
def test_a_pruner_stops_what_falls_behind(name: str) -> None:
    definition = study(pruner={"name": name}, repeats=8)
    search = optuna.create_study(sampler=build_sampler(definition, seed=1), pruner=build_pruner(definition))
    stopped = []
    for quality in range(12):
        trial = search.ask()
        suggest(trial, definition)
        for step in range(1, 9):
            trial.report(quality + step / 100, step)
        stopped.append(trial.should_prune())
        search.tell(trial, quality)
    assert not stopped[0]
    assert any(stopped)


def test_only_experimental_warnings_are_accepted_and_only_while_building() -> None:
    before = list(warnings.filters)
    build_sampler(study(), seed=1)
    build_pruner(study(pruner={"name": "wilcoxon"}, repeats=3))
    assert warnings.filters == before


@pytest.mark.parametrize("library", ["optuna", "torch", "sklearn"])
def test_a_definition_is_read_without(library: str) -> None:
    code = f"""
        import sys, search_spaces
        search_spaces.parse_definition(search_spaces.load_preset("quickstart"))
        assert {library!r} not in sys.modules
    """
    code = textwrap.dedent(code)
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
