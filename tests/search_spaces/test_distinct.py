"""TPE on a small discrete space: every configuration at most once, as long as there are new ones."""

import optuna

from search_spaces import load_preset, parse_definition
from search_spaces.optuna import build_pruner, build_sampler, suggest


def configurations(trials: int, **changes: object) -> list[object]:
    definition = parse_definition(
        {**load_preset("quickstart"), "sampler": {"name": "tpe"}, "search": "free", "budget": {"trials": trials}}
        | changes
    )
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
    searched = drawn[10:]  # the first ten are independent draws
    assert len(set(map(str, searched))) == len(searched)


def test_an_exhausted_space_goes_on() -> None:
    space = {"units": {"type": "categorical", "choices": [32, 64]}}
    drawn = configurations(14, search_space=space, fixed={"regularizer": "dropout"})
    assert {str(config) for config in drawn} == {str(config) for config in drawn[:10]}
