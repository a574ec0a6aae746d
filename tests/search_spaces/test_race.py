"""The deal of a search's trials to its variants, and the searches of each."""

import math
from collections import Counter

import optuna
import pytest

from search_spaces import InvalidDefinition, StudyDefinition, StudyShape, load_preset, parse_definition, preset_names
from search_spaces import race as search_race
from search_spaces.grids import boxes
from search_spaces.optuna import build_pruner, build_sampler, given_params, suggest
from search_spaces.optuna.within import WithinVariant, WithinVariantPruner
from search_spaces.race import Contender, Standing, contenders, next_variant
from tests.search_spaces.studies import categorical, own, raw, real, study, whole

REGULARIZERS = categorical("none", "dropout", "dropconnect", "pernodedrop")
RATE = real(0.0, 0.9, step=0.1, when={"regularizer": ["dropout", "dropconnect", "pernodedrop"]})


def race(trials: int, **changes: object) -> StudyDefinition:
    space = {"regularizer": REGULARIZERS, "drop_rate": RATE}
    return study(**{"search": "race", "search_space": space, "budget": {"trials": trials}, **changes})


def played(definition: StudyDefinition, costs: dict[str, float]) -> optuna.Study:
    """The whole search; a trial's value is its variant's cost and its distance from the rate .5."""
    search = optuna.create_study(pruner=build_pruner(definition))
    for ordinal in range(definition.trials):
        search.sampler = build_sampler(definition, ordinal)
        given = given_params(search, definition, ordinal)
        search.enqueue_trial(given or {})
        trial = search.ask()
        config = suggest(trial, definition)
        assert (given or {}).items() <= config.as_params().items()
        search.tell(trial, costs.get(config.regularizer, 1.0) + abs(config.drop_rate - 0.5))
    return search


def dealt(search: optuna.Study) -> Counter[str]:
    return Counter(trial.params["regularizer"] for trial in search.trials)


@pytest.mark.parametrize("name", preset_names())
def test_the_variants_have_all_configurations_of_the_study(name: str) -> None:
    definition = parse_definition(load_preset(name))
    sizes = sum(contender.size for contender in contenders(definition))
    if definition.sampler.visits_grid:
        assert sizes == len(definition.grid)
    else:
        assert sizes > 1


def test_an_interval_has_no_number_of_configurations() -> None:
    definition = study(search_space={"regularizer": REGULARIZERS, "learning_rate": real(0.001, 0.1, log=True)})
    assert {contender.size for contender in contenders(definition)} == {math.inf}


def test_a_fair_search_deals_equal_shares() -> None:
    counts = dealt(played(race(30, search="fair"), {}))
    assert counts == {"none": 1, "dropout": 10, "dropconnect": 10, "pernodedrop": 9}  # none has one configuration


def test_a_race_gives_every_variant_its_share_and_the_rest_to_the_best() -> None:
    rate = {**RATE, "step": None}
    costs = {"dropconnect": 0.0, "dropout": 0.5, "pernodedrop": 2.0, "none": 3.0}
    search = played(race(40, search_space={"regularizer": REGULARIZERS, "drop_rate": rate}), costs)
    first = Counter(trial.params["regularizer"] for trial in search.trials[:18])  # 45 %
    assert first == {"none": 1, "dropout": 6, "dropconnect": 6, "pernodedrop": 5}
    second = Counter(trial.params["regularizer"] for trial in search.trials[18:28])  # 25 %, to the best half
    assert second == {"dropout": 5, "dropconnect": 5}
    assert {trial.params["regularizer"] for trial in search.trials[28:]} == {"dropconnect"}  # 30 %, to the best quarter


def test_a_variant_whose_configurations_are_all_trained_steps_aside() -> None:
    counts = dealt(played(race(40), {"dropconnect": 0.0, "dropout": 0.5, "pernodedrop": 2.0, "none": 3.0}))
    assert counts == {"none": 1, "dropout": 10, "pernodedrop": 10, "dropconnect": 10 + 9}  # 31 configurations


def test_the_sampler_of_a_variant_knows_its_trials_alone() -> None:
    definition = race(40)
    search = played(definition, {})
    sampler = build_sampler(definition, 1)
    assert isinstance(sampler, WithinVariant)
    search.enqueue_trial({"regularizer": "dropout"})
    trial = search.ask()
    own, _ = sampler.view(search, search._storage.get_trial(trial._trial_id))
    trials = own.get_trials(deepcopy=False)
    assert 0 < len(trials) < len(search.trials)
    assert all(each.params.keys() <= {"drop_rate"} for each in trials)
    assert all("regularizer" in each.params for each in search.trials[:-1])  # nothing was taken from the study itself


def test_a_trial_is_pruned_against_its_own_variant_alone() -> None:
    median = {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 0}
    definition = race(40, pruner=median)
    search = optuna.create_study(pruner=build_pruner(definition))
    assert isinstance(search.pruner, WithinVariantPruner)

    def reported(regularizer: str, value: float) -> optuna.Trial:
        search.enqueue_trial({"regularizer": regularizer})
        trial = search.ask()
        suggest(trial, definition)
        trial.report(value, 1)
        return trial

    for _ in range(3):
        search.tell(reported("dropout", 0.1), 0.1)
    assert not reported("dropconnect", 0.9).should_prune()  # the first of its variant, and slower than all
    search.tell(reported("dropconnect", 0.5), 0.5)
    assert not reported("dropconnect", 0.9).should_prune()  # one complete trial is no measure
    search.tell(reported("dropconnect", 0.5), 0.5)
    assert reported("dropconnect", 0.9).should_prune()
    assert not reported("dropconnect", 0.4).should_prune()
    assert reported("dropout", 0.4).should_prune()


def test_a_phase_keeps_the_best_share_of_the_variants() -> None:
    entered = [Contender(name, [{}], math.inf) for name in "abcdefgh"]
    standings = {name: Standing(5, 5, float(place)) for place, name in enumerate("hgfedcba")}
    second = next_variant("race", entered, standings, ordinal=45, trials=100)
    assert second.variant in "hgfe"
    assert next_variant("race", entered, {**standings, "h": Standing(6, 6, 0.0)}, ordinal=75, trials=100).variant == "g"
    none = next_variant("race", entered, {}, ordinal=45, trials=100)  # no result yet
    assert none in entered


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sampler": {"name": "grid"}, "budget": None, "search_space": {"regularizer": REGULARIZERS}},
         'search must be "free" or left out with the grid sampler, which trains every configuration, got "race"'),
        ({"budget": {"trials": 3}},
         "budget.trials must be at least 4, one for each variant of the race, got 3: raise it, or set search to free"),
    ],
)  # fmt: skip
def test_a_race_that_cannot_be_run_is_refused(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        race(40, **changes)
    assert str(refused.value) == line


def test_the_variants_share_the_random_trials_at_the_start() -> None:
    sampler = {"name": "tpe", "n_startup_trials": 20}
    base = build_sampler(race(40, sampler=sampler), 1)._base._base
    assert base._n_startup_trials == 5
    assert build_sampler(race(40, sampler=sampler, search="free"), 1)._base._n_startup_trials == 20
    assert build_sampler(race(40), 1)._base._base._n_startup_trials == 4  # 10 among 4 variants, but not below 4


@pytest.mark.parametrize(
    ("changes", "search"),
    [
        ({}, "race"),
        ({"search": "free"}, "free"),
        ({"search_space": {"drop_rate": RATE | {"when": {}}}}, "free"),  # one variant
        ({"budget": {"trials": 3}}, "free"),  # fewer trials than variants
        ({"sampler": {"name": "grid"}, "budget": None}, "free"),
        ({"objectives": [{"metric": "val_loss"}, {"metric": "val_ece"}], "sampler": {"name": "nsgaii"}}, "free"),
    ],
)
def test_a_study_that_compares_variants_is_a_race(changes: dict[str, object], search: str) -> None:
    definition = study(
        **{"search_space": {"regularizer": REGULARIZERS, "drop_rate": RATE}, "budget": {"trials": 40}, **changes}
    )
    assert definition.search == search
    assert StudyShape.model_validate(definition.model_dump(mode="json")).search == search


def test_a_study_stored_before_there_were_races_stays_free() -> None:
    stored = race(40).model_dump(mode="json")
    del stored["search"]
    assert not StudyShape.model_validate(stored).is_race


def test_a_dimension_without_effect_is_not_drawn() -> None:
    definition = study(
        search_space={
            "regularizer": categorical("none", "dropout", "standout", "pernodedrop"),
            "stir_type": categorical("bernoulli", "gaussian"),
            "drop_rate": real(0.0, 0.9, step=0.1),
            "beta": categorical(0.0, 1.0),
            "units": categorical(32, 64),
        },
        budget={"trials": 100},
    )
    assert {name: each.when for name, each in definition.search_space.items() if each.when} == {
        "stir_type": {"regularizer": ("pernodedrop",)},
        "drop_rate": {"regularizer": ("dropout", "pernodedrop")},
        "beta": {"regularizer": ("standout",)},
    }
    sizes = {contender.variant: contender.size for contender in contenders(definition)}
    assert sizes["none"] == 2
    assert sizes["dropout"] == 20


def test_an_own_task_gives_its_parameters_their_sense() -> None:
    space = {"regularizer": categorical("none", "dropout"), "drop_rate": real(0.0, 0.9)}
    definition = parse_definition(own(space, budget={"trials": 20}))
    assert not any(dimension.when for dimension in definition.search_space.values())


def test_a_study_of_ever_so_many_variants_is_no_race() -> None:
    many = {f"part{number}": categorical(1, 2) for number in range(12)}
    last = categorical("dropout", "none", when={name: [1] for name in many})
    definition = parse_definition(own({**many, "regularizer": last}, budget={"trials": 10_000}))
    assert contenders(definition) == []
    assert definition.search == "free"


def test_more_configurations_than_a_float_holds_are_as_good_as_no_number() -> None:
    space = {"regularizer": categorical("none", "dropout"), **{f"x{n}": whole(-(2**53), 2**53) for n in range(20)}}
    found = contenders(parse_definition(own(space, budget={"trials": 10})))
    assert {contender.size for contender in found} == {math.inf}


def test_variants_by_the_hundred_with_many_conditions_are_counted_in_no_time() -> None:
    """The other dimensions are counted once for each case of their conditions, not for each of 901 variants."""
    space = {
        "regularizer": categorical("pernodedrop", "dropout"),
        "mask_groups": whole(1, 900, when={"regularizer": "pernodedrop"}),
        "parent": categorical(*range(90)),
        **{f"child{number}": real(0.0, 1.0, when={"parent": list(range(80))}) for number in range(50)},
    }
    seen: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_race, "boxes", lambda *space: seen.append(space) or boxes(*space))
        definition = parse_definition(own(space, search="race", budget={"trials": 2000}))
    assert definition.search == "race"
    assert len(seen) == 1


@pytest.mark.parametrize("search", ["race", "free", None])
@pytest.mark.parametrize("sampler", ["cmaes", "gp"])
def test_a_completed_definition_is_taken_again_as_it_is(search: str | None, sampler: str) -> None:
    """The command line completes a definition and sends it; the rules of a sampler must hold for both."""
    space = {"regularizer": categorical("none", "dropout"), "drop_rate": real(0.1, 0.9)}
    definition = parse_definition(raw(search_space=space, sampler={"name": sampler}, search=search))
    assert parse_definition(definition.model_dump(mode="json")) == definition
    assert bool(definition.search_space["drop_rate"].when) == definition.is_race  # else the sampler would not model it
