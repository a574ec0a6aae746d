"""The seed of a study and the seed of its search's order."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from search_spaces import StudyShape, fixed_params, load_preset, parse_definition, preset_names
from search_spaces.optuna import build_sampler, suggest
from search_spaces.optuna.building import experimental_parts_accepted
from search_spaces.samplers.grid import GridSampler
from search_spaces.yaml_text import read_yaml
from tests.search_spaces.studies import raw, real, study, whole

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
GRID = {"units": whole(1, 40)}


@pytest.mark.parametrize(
    ("given", "trained", "searched"),
    [
        ({}, 0, 0),
        ({"seed": 5}, 5, 5),
        ({"seed": 5, "sampler": {"name": "random"}}, 5, 5),
        ({"seed": 5, "sampler": {"name": "random", "seed": None}}, 5, 5),
        ({"seed": 5, "sampler": {"name": "random", "seed": 6}}, 5, 6),
        ({"seed": 0, "sampler": {"name": "random", "seed": 6}}, 0, 6),
        ({"sampler": {"name": "random", "seed": 6}}, 6, 6),  # as before there was a seed beside the sampler's
        ({"sampler": {"name": "random"}}, 0, 0),
    ],
)
def test_the_searchs_order_may_have_a_seed_of_its_own(given: dict[str, Any], trained: int, searched: int) -> None:
    definition = study(**given)
    assert (definition.seed, definition.search_seed) == (trained, searched)
    again = parse_definition(definition.model_dump(mode="json"))
    assert again == definition


def test_what_was_written_before_is_the_same_study_as_what_is_written_now() -> None:
    """So `pernodedrop run` goes on with an unfinished study of an earlier release."""
    assert study(sampler={"name": "tpe", "seed": 7}) == study(seed=7, sampler={"name": "tpe"})
    assert study(sampler={"name": "tpe", "seed": 0}) == study()


@pytest.mark.parametrize("name", preset_names())
def test_presets_keep_the_seed_that_they_had_within_their_sampler(name: str) -> None:
    written = load_preset(name)
    assert "seed" not in written["sampler"]
    before = {field: value for field, value in written.items() if field != "seed"}
    before["sampler"] = {**written["sampler"], "seed": written["seed"]}
    assert parse_definition(before) == parse_definition(written)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_examples_have_one_seed(file: Path) -> None:
    definition = parse_definition(read_yaml(file.read_text(encoding="utf-8")))
    assert definition.seed == definition.search_seed
    assert definition.sampler.seed is None


def test_a_stored_grid_without_a_seed_is_visited_in_the_order_that_it_had() -> None:
    stored = study(search_space=GRID, sampler={"name": "grid"}, budget=None).model_dump(mode="json")
    del stored["seed"]
    stored["sampler"]["seed"] = 5
    definition = StudyShape.model_validate(stored)
    order = np.random.default_rng((5, 0)).permutation(40)
    assert [fixed_params(definition, ordinal) for ordinal in range(40)] == [{"units": int(n) + 1} for n in order]


def test_a_stored_quasi_random_sequence_without_a_seed_is_the_one_that_it_was() -> None:
    stored = study(search_space={"drop_rate": real(0.0, 0.9)}, sampler={"name": "qmc"}).model_dump(mode="json")
    del stored["seed"]
    stored["sampler"]["seed"] = 3
    definition = StudyShape.model_validate(stored)
    with experimental_parts_accepted():
        uniform = optuna.samplers.RandomSampler(seed=1)
        expected = optuna.samplers.QMCSampler(seed=3, scramble=True, independent_sampler=uniform)
    ours, theirs = (optuna.create_study(sampler=sampler) for sampler in (build_sampler(definition, 1), expected))
    for search in (ours, theirs):
        for _ in range(6):
            trial = search.ask()
            search.tell(trial, suggest(trial, definition).drop_rate)
    params, others = ([trial.params for trial in search.trials] for search in (ours, theirs))
    assert params[:-1] == others[1:]  # Optuna draws the first trial at random


def test_a_sampler_that_is_an_object_has_the_searchs_seed_alone() -> None:
    definition = StudyShape.model_validate(raw(sampler=GridSampler(seed=4), seed=2))
    assert (definition.seed, definition.search_seed) == (2, 4)
