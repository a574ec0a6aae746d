"""Known configurations: their rules, and what samplers learn from them and from earlier trials."""

from collections import Counter
from typing import Any

import optuna
import pytest

from search_spaces import InvalidDefinition, StudyDefinition, fixed_params, given_by, parse_definition, recorded_params
from search_spaces.optuna import build_pruner, build_sampler, given_params, history_of, learnt_from, suggest
from search_spaces.optuna.history import WithHistory
from search_spaces.optuna.within import WithinVariant
from search_spaces.race import contenders, next_variant
from tests.search_spaces.studies import categorical, raw, real, whole

SPACE = {
    "regularizer": categorical("none", "dropout", "pernodedrop"),
    "stir_type": categorical("bernoulli", "gaussian", when={"regularizer": "pernodedrop"}),
    "drop_rate": real(0.1, 0.9, step=0.1),
    "units": whole(32, 64, step=32),
}
DROPOUT = {"regularizer": "dropout", "drop_rate": 0.5, "units": 32}
MARK = "or mark the configuration as outside of it (outside: true)"
GRID: dict[str, Any] = {"sampler": {"name": "grid"}, "budget": None}


def study(*start_with: Any, **changes: Any) -> StudyDefinition:
    fields = {"search_space": SPACE, "fixed": {"learning_rate": 0.01}, "budget": {"trials": 20}}
    return parse_definition(raw(**{**fields, "start_with": list(start_with), **changes}))


def outside(**params: Any) -> dict[str, Any]:
    return {"params": params, "outside": True}


@pytest.mark.parametrize(
    ("start_with", "changes", "message"),
    [
        ([{"drop_rat": 0.5}], {},
         "start_with[0].drop_rat is no dimension of the search space: did you mean drop_rate?"),
        ([DROPOUT, {"colour": 1}], {},
         "start_with[1].colour is no dimension of the search space: it has regularizer, units, drop_rate, stir_type, "
         f"learning_rate; remove it, {MARK}"),
        ([{"regularizer": "dropout", "outside": True}], {},
         "start_with[0].outside is no dimension of the search space: write {params: {...}, outside: true}"),
        ([{**DROPOUT, "drop_rate": 0.55}], {},
         "start_with[0].drop_rate must be from 0.1 to 0.9 in steps of 0.1 in the search space, got 0.55: change it, "
         + MARK),
        ([{"units": 48}], {},
         "start_with[0].units must be a whole number from 32 to 64 in steps of 32 in the search space, got 48: change "
         f"it, {MARK}"),
        ([{"units": True}], {},
         "start_with[0].units must be a whole number from 32 to 64 in steps of 32 in the search space, got true: "
         f"change it, {MARK}"),
        ([{"regularizer": "dropconnect", "drop_rate": 0.5}], {},
         'start_with[0].regularizer must be "none", "dropout" or "pernodedrop" in the search space, got "dropconnect": '
         f"change it, {MARK}"),
        ([{"learning_rate": 0.1}], {},
         f"start_with[0].learning_rate is fixed to 0.01 in this study, got 0.1: leave it out, {MARK}"),
        ([{"regularizer": "none", "drop_rate": 0.5}], {},  # by a condition that the definition leaves unsaid
         'start_with[0].drop_rate is searched only where regularizer is "dropout" or "pernodedrop", and it is "none": '
         "leave the parameter out"),
        ([{"stir_type": "gaussian"}], {},
         'start_with[0].stir_type is searched only where regularizer is "pernodedrop": give regularizer as well, or '
         "leave both out"),
        ([{}], {}, "start_with[0] must give at least one parameter that the study does not fix, got none"),
        ([{"learning_rate": 0.01}], {},
         "start_with[0] must give at least one parameter that the study does not fix, got none"),
        ([3], {}, "start_with[0] must be an object, got 3"),
        ([{"params": DROPOUT, "outsid": True}], {}, "start_with[0].outsid is no known field: did you mean outside?"),
        ([{"units": [32]}], {}, "start_with[0].params.units must be text, a number, true or false, got a list"),
        ([DROPOUT, {**DROPOUT, "units": 32.0}], {}, "start_with[1] is the same as start_with[0]: remove one of them"),
        ([{"units": 32}] * 3, {"budget": {"trials": 2}},
         "start_with must have at most 2 configurations, as many as budget.trials, got 3: raise budget.trials, or give "
         "fewer"),
        ([outside(drop_rate=1.5)], {}, "start_with[0].drop_rate must be below 1, got 1.5"),
        ([outside(learning_rat=0.1)], {},
         "start_with[0].learning_rat is no parameter of the built-in tasks: did you mean learning_rate?"),
        ([outside(regularizer="dropout", mask_groups=2)], {},
         'start_with[0].mask_groups is a setting of "pernodedrop", which the study does not search: remove it'),
        ([outside(regularizer="masksembles", drop_rate=0.9)], {},
         "start_with[0].drop_rate must be at most 0.833333, got 0.9 for masksembles"),
        ([{"regularizer": "dropout", "drop_rate": 0.5}], GRID,
         "start_with[0].units is missing: the grid sampler draws nothing"),
        ([], {"start_from": "s", "sampler": {"name": "random"}},
         'start_from needs a sampler that learns from the trials of another study: "tpe" or "gp", got "random"'),
    ],
)  # fmt: skip
def test_what_does_not_suit_is_refused(start_with: list[Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        study(*start_with, **changes)
    assert str(refused.value) == message


def test_a_configuration_has_the_values_of_its_dimensions() -> None:
    """The fixed parameters may be repeated, as a trial shows them; steps and whole numbers are those of the space."""
    given = {"regularizer": "dropout", "drop_rate": 0.30000000000000004, "units": 64.0, "learning_rate": 0.01}
    definition = study(given, outside(drop_rate=0.95, learning_rate=0.2), {"units": 32}, {"units": 32})
    stored = parse_definition(definition.model_dump(mode="json"))
    assert stored == definition
    inside, other, *_ = (given_by(stored, known) for known in stored.start_with)
    assert inside == stored.start_with[0].params == {"regularizer": "dropout", "drop_rate": 0.3, "units": 64}
    assert recorded_params(stored, other) == {"drop_rate": 0.95, "learning_rate": 0.2}


def test_a_grid_begins_with_them_and_repeats_none() -> None:
    definition = study(DROPOUT, outside(drop_rate=0.95), {"regularizer": "none", "units": 64}, **GRID)
    points = [fixed_params(definition, ordinal) for ordinal in range(definition.trials) if ordinal != 1]
    assert [points[0], points[1]] == [DROPOUT, {"regularizer": "none", "units": 64}]
    assert len({str(point) for point in points}) == len(points) == len(definition.grid) == definition.trials - 1
    others = [fixed_params(study(**GRID), ordinal) for ordinal in range(len(points))]
    assert points[2:] == [point for point in others if point not in points[:2]]  # in the order that they would have


def test_every_variant_has_its_equal_share_with_what_is_known() -> None:
    definition = study(budget={"trials": 12}, search="fair")
    entered = contenders(definition)
    known = {0: DROPOUT, 1: {"outside": {"units": 7}}, 2: {"regularizer": "dropout"}, 5: {"units": 32}}
    chosen = [
        next_variant("fair", entered, {}, ordinal=ordinal, trials=12, known=known)
        for ordinal in range(12)
        if ordinal != 1
    ]
    assert [each.variant for each in chosen[:2]] == ["dropout", "dropout"]
    shares = Counter(each.variant for each in chosen)
    assert len(shares) == len(entered) == 4
    assert shares["none"] == 2  # it has no more configurations
    assert {shares[name] for name in shares if name != "none"} == {3}


def played(definition: StudyDefinition, *known: Any, history: Any = (), trials: int = 8) -> list[dict[str, Any]]:
    """What the sampler draws for the trials that are not outside."""
    storage = learnt_from(optuna.storages.InMemoryStorage())
    search = optuna.create_study(storage=storage, pruner=build_pruner(definition))
    found = []
    for ordinal in range(trials):
        search.sampler = build_sampler(definition, ordinal, history_of(definition, history))
        given = given_params(search, definition, ordinal, dict(enumerate(known)))
        if given is not None and "outside" in given:
            value = abs(given["outside"]["drop_rate"] - 0.5)
            search.add_trial(optuna.trial.create_trial(value=value, system_attrs={"fixed_params": given}))
            continue
        search.enqueue_trial(given or {})
        trial = search.ask()
        search.tell(trial, abs(suggest(trial, definition).drop_rate - 0.5))
        found.append(trial.params)
    return found


TPE: dict[str, Any] = {"sampler": {"name": "tpe", "n_startup_trials": 2}, "search_space": {
    "drop_rate": real(0.0, 0.9), "units": whole(1, 1000)}, "fixed": {"regularizer": "dropout"}}  # fmt: skip


def test_the_sampler_draws_as_if_what_is_outside_had_never_been() -> None:
    definition = study(**TPE)
    best, worst = (played(definition, {"units": 30}, {"outside": {"drop_rate": n}}) for n in (0.5, 9))
    assert best == worst
    assert best[0]["units"] == 30
    assert "drop_rate" in best[0]  # the sampler drew it


@pytest.mark.parametrize("sampler", ["tpe"])
def test_a_sampler_that_knows_earlier_trials_searches_near_the_best_of_them(sampler: str) -> None:
    definition = study(**{**TPE, "sampler": {"name": sampler, "n_startup_trials": 2}})
    records: list[dict[str, Any]] = [
        {"params": {"drop_rate": 0.02 * n, "units": 40 * n + 1}, "values": [abs(0.02 * n - 0.2)], "step": n % 3 or None}
        for n in range(24)
    ]
    near = [abs(params["drop_rate"] - 0.2) for params in played(definition, history=records, trials=3)]
    assert max(near) < 0.2  # of 0.7 at most; without them the first two are drawn evenly
    assert played(definition, history=records, trials=3) != played(definition, trials=3)


def test_the_sampler_of_a_variant_knows_the_earlier_trials_of_its_own_variant() -> None:
    definition = study(search="race")
    records: list[dict[str, Any]] = [
        {"params": {"regularizer": name, "drop_rate": rate, "units": 32}, "values": [rate], "step": None}
        for name, rates in (("dropout", (0.1, 0.2)), ("none", (0.3,)))
        for rate in rates
    ]
    whole_study = optuna.create_study()
    sampler = build_sampler(definition, 1, history_of(definition, records))
    assert isinstance(sampler, WithHistory)
    assert isinstance(sampler._base, WithinVariant)
    whole_study.enqueue_trial({"regularizer": "dropout"})
    trial = whole_study._storage.get_trial(whole_study.ask()._trial_id)
    own, _ = sampler._base.view(*sampler.view(whole_study, trial))
    known = [each for each in own.get_trials(deepcopy=False) if each.state.is_finished()]
    assert [each.params for each in known] == [{"drop_rate": 0.1, "units": 32}, {"drop_rate": 0.2, "units": 32}]
    assert [each.number for each in known] == [-3, -2]  # before all of its own
