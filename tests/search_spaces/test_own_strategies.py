"""A sampler and a pruner from outside the package: one class each says all there is to know of it."""

from collections.abc import Iterator
from typing import Any, Literal

import optuna
import pytest
from optuna.pruners import BasePruner, ThresholdPruner
from optuna.samplers import BaseSampler, RandomSampler

from search_spaces import InvalidDefinition, Objective, Problem, StudyDefinition
from search_spaces.optuna import build_pruner, build_sampler, suggest
from search_spaces.optuna.distinct import DistinctSampler
from search_spaces.part import by_name, one_of
from search_spaces.pruners import PRUNERS, PrunerPart
from search_spaces.samplers import SAMPLERS, SamplerPart
from tests.search_spaces.studies import categorical, own, raw, real


class DartsSampler(SamplerPart):
    """Throws darts."""

    takes_several_objectives = False
    models = "numeric"

    name: Literal["darts"] = "darts"
    darts: int = 3

    def problems(self) -> Iterator[Problem]:
        if self.darts > 180:
            yield Problem.at("sampler.darts", f"must be at most 180, got {self.darts}")

    def build(self, *, seed: int, shared_seed: int) -> BaseSampler:
        return RandomSampler(seed=seed + self.darts)


class CeilingPruner(PrunerPart):
    """Stops trials that are worse than a ceiling."""

    takes_several_objectives = False
    pairs_repeats = True

    name: Literal["ceiling"] = "ceiling"
    ceiling: float = 1.0

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> BasePruner:
        return ThresholdPruner(upper=objective.cost(self.ceiling), n_warmup_steps=epochs - repeats)


class Extended(StudyDefinition):
    """A study that may have them, as if they stood in the lists."""

    sampler: one_of((*SAMPLERS, DartsSampler)) = SAMPLERS[0]()  # type: ignore[valid-type]
    pruner: one_of((*PRUNERS, CeilingPruner)) = PRUNERS[0]()  # type: ignore[valid-type]


OWN: dict[str, Any] = {"sampler": {"name": "darts", "darts": 7}, "pruner": {"name": "ceiling"}, "repeats": 2}


def test_they_are_built_and_search() -> None:
    definition = Extended.model_validate(raw(**OWN))
    sampler, pruner = build_sampler(definition, seed=1), build_pruner(definition)
    assert isinstance(sampler, DistinctSampler)  # as every sampler that draws
    assert isinstance(pruner, ThresholdPruner)
    assert (pruner._upper, pruner._n_warmup_steps) == (1.0, 8 - 2)
    search = optuna.create_study(sampler=sampler, pruner=pruner)
    for _ in range(3):
        trial = search.ask()
        search.tell(trial, suggest(trial, definition).drop_rate)
    alone = optuna.create_study(sampler=RandomSampler(seed=8))
    expected = [alone.ask({"drop_rate": optuna.distributions.FloatDistribution(0.0, 0.9)}).params for _ in range(3)]
    assert [trial.params for trial in search.trials] == expected


TWO = [{"metric": "val_loss"}, {"metric": "train_loss"}]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (raw(**OWN | {"sampler": {"name": "darts", "darts": 181}}), "sampler.darts must be at most 180, got 181"),
        (
            raw(**OWN | {"repeats": 1}),
            "repeats must be at least 2 with the ceiling pruner, got 1: raise it, or leave the pruner out",
        ),
        (
            raw(sampler={"name": "darts"}, objectives=TWO),
            'sampler.name must be "tpe", "random", "grid", "qmc" or "nsgaii" with several objectives, got "darts"',
        ),
        (
            raw(pruner={"name": "ceiling"}, objectives=TWO, repeats=2),
            'pruner.name must be "none" with several objectives, got "ceiling"',
        ),
        (
            own({"x": categorical("a", "b"), "y": real(1, 1)}, sampler={"name": "darts"}),
            "search_space must hold a numeric dimension without a condition and with more than one value for the darts "
            "sampler",
        ),
        (
            raw(sampler={"name": "darts"}, budget=None),
            "budget.trials is missing: the darts sampler has no end of its own (only the grid has)",
        ),
    ],
)
def test_the_rules_ask_them(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        Extended.model_validate(wrong)
    assert str(refused.value) == message


def test_what_is_not_said_is_not_made_up() -> None:
    with pytest.raises(
        TypeError, match=r"^SilentSampler must say takes_several_objectives, models, build: see Sampler"
    ):

        class SilentSampler(SamplerPart):
            name: Literal["silent"] = "silent"

    with pytest.raises(TypeError, match=r"^UnbuiltSampler must say build: see SamplerPart$"):

        class UnbuiltSampler(SamplerPart):
            takes_several_objectives = True
            models = "all"
            name: Literal["unbuilt"] = "unbuilt"

    with pytest.raises(TypeError, match=r"^UnbuiltPruner must say build: see PrunerPart$"):

        class UnbuiltPruner(PrunerPart):
            takes_several_objectives = True
            name: Literal["unbuilt"] = "unbuilt"


def test_every_part_of_the_lists_has_a_name_of_its_own() -> None:
    assert len(by_name(SAMPLERS)) == len(SAMPLERS)
    assert len(by_name(PRUNERS)) == len(PRUNERS)
