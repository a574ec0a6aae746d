import json
from pathlib import Path
from typing import Any

import pytest

from search_spaces import load_preset, parse_definition, preset_names
from search_spaces.yaml_text import read_yaml
from service.cli.definitions import LARGEST_FILE, apply, copied, definition_of, text_of_preset
from service.cli.exit_codes import ExitCode, Failure


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_printed_as_a_start_for_a_file(name: str) -> None:
    text = text_of_preset(name)
    assert read_yaml(text) == load_preset(name)
    assert text.startswith("# ")
    assert "$schema" not in text


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["seed=1", "budget.trials=3", "seed=2"], "--set seed=2 takes back --set seed=1 before it: keep one of them"),
        (["budget.trials=3", "budget={trials: 2}"], "--set budget={trials: 2} takes back --set budget.trials=3"),
    ],
)
def test_an_override_takes_none_back(overrides: list[str], said: str) -> None:
    with pytest.raises(Failure) as caught:
        definition_of(None, "quickstart", overrides)
    assert str(caught.value).startswith(said)
    assert definition_of(None, "quickstart", ["budget={trials: 2}", "budget.trials=3"])["budget"] == {"trials": 3}


def test_an_override_changes_one_of_what_an_alias_repeats(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("search_space:\n  one: &r {low: 0, high: 1}\n  other: *r\n  third: {<<: *r}\n")
    changed = definition_of(file, None, ["search_space.one.low=0.5"])["search_space"]
    assert [dimension["low"] for dimension in changed.values()] == [0.5, 0, 0]


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_read_as_it_stands(name: str) -> None:
    assert definition_of(None, name) == load_preset(name)


@pytest.mark.parametrize(
    ("budget", "copies"),
    [({"epochs": 900}, 3000), ({"epochs": 900, "trials": 40}, 40), ({"trials": 40}, 40)],
)
def test_a_copy_with_more_epochs_has_more_trials_unless_they_were_asked_for(
    budget: dict[str, int], copies: int
) -> None:
    preset = load_preset("quickstart") | {"budget": budget, "search": "free", "pruner": {"name": "asha"}}
    stored = parse_definition(preset).model_dump(mode="json")
    assert stored["budget"]["trials"] == budget.get("trials", 900)
    copy = parse_definition(copied(stored, ["budget.epochs=3000"], "another"))
    assert (copy.budget.trials, copy.budget.epochs) == (copies, 3000)


def test_yaml_and_json_files_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("name: mine\nbudget: {trials: 3, wall_time: 4h}\n")
    (tmp_path / "study.json").write_text(json.dumps({"name": "mine", "budget": {"trials": 3, "wall_time": "4h"}}))
    assert definition_of(tmp_path / "study.yaml", None) == definition_of(tmp_path / "study.json", None)


def test_a_name_replaces_the_files_own() -> None:
    assert definition_of(None, "quickstart", name="mine")["name"] == "mine"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("budget.trials=50", {"budget": {"trials": 50}, "objectives": [{"metric": "val_loss"}]}),
        ("budget.wall_time=4h", {"budget": {"trials": 3, "wall_time": "4h"}, "objectives": [{"metric": "val_loss"}]}),
        ("objectives.0.metric=val_accuracy", {"budget": {"trials": 3}, "objectives": [{"metric": "val_accuracy"}]}),
        ("objectives.0=x", {"budget": {"trials": 3}, "objectives": ["x"]}),
        (
            "pruner.name=none",
            {"budget": {"trials": 3}, "objectives": [{"metric": "val_loss"}], "pruner": {"name": "none"}},
        ),
        ("budget=", {"budget": None, "objectives": [{"metric": "val_loss"}]}),
        ("budget.note=a=b", {"budget": {"trials": 3, "note": "a=b"}, "objectives": [{"metric": "val_loss"}]}),
        ("budget={trials: [1]}", {"budget": {"trials": [1]}, "objectives": [{"metric": "val_loss"}]}),
    ],
)
def test_an_override_sets_one_value(override: str, expected: dict[str, Any]) -> None:
    definition = {"budget": {"trials": 3}, "objectives": [{"metric": "val_loss"}]}
    apply(definition, override)
    assert definition == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("budget.trials", "key=value"),
        ("=3", "key=value"),
        ("budget..trials=3", "key=value"),
        ("bud\udcffget=3", "key=value"),
        ("bud\nget=3", "key=value"),
        ("objectives." + "9" * 5_000 + ".x=1", "entries 0 to 0"),
        ("budget={trials: 1, trials: 2}", 'column 13: the key "trials" stands at line 1, column 2 already'),
        ("budget=.inf", "is no finite number"),
        ("budget.trials.more=3", "a value above it"),
        ("budget.trials.more.still=3", "a value above it"),
        ("objectives.1.metric=x", "entries 0 to 0"),
        ("objectives.first=x", "entries 0 to 0"),
        ("budget.trials=[1", "--set budget.trials: cannot read '.1': line 1, column 3: "),
    ],
)
def test_a_wrong_override_is_wrong_usage(override: str, message: str) -> None:
    with pytest.raises(Failure, match=message) as caught:
        apply({"budget": {"trials": 3}, "objectives": [{"metric": "val_loss"}]}, override)
    assert caught.value.code is ExitCode.WRONG
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1,\nb: 2", r"cannot read .*study.yaml: line 2, column 5: "),
        ("- a\n- b", "must hold a mapping .* got a list"),
        ("", "must hold a mapping .* got nothing"),
        ("#" * (LARGEST_FILE + 1), "larger than 1 MiB"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(content)
    with pytest.raises(Failure, match=message) as caught:
        definition_of(tmp_path / "study.yaml", None)
    assert caught.value.code is ExitCode.WRONG


def test_a_missing_file_an_unknown_preset_and_no_source_are_wrong_usage(tmp_path: Path) -> None:
    for file, preset, message in (
        (tmp_path / "none.yaml", None, "No such file"),
        (None, "qickstart", "quickstart"),
        (None, None, "either a file or --preset"),
        (tmp_path / "none.yaml", "quickstart", "either a file or --preset"),
    ):
        with pytest.raises(Failure, match=message) as caught:
            definition_of(file, preset)
        assert caught.value.code is ExitCode.WRONG


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["pruner.name=none"], {"name": "none"}),
        (["pruner.name=none", "pruner.n_warmup_epochs=9"], {"name": "none", "n_warmup_epochs": 9}),  # refused later
        (["pruner.n_warmup_epochs=9", "pruner.name=none"], {"name": "none", "n_warmup_epochs": 9}),
        (["pruner.name=median"], {"name": "median", "n_startup_trials": 3, "n_warmup_epochs": 2}),
        (["pruner.name=medain"], {"name": "medain", "n_startup_trials": 3, "n_warmup_epochs": 2}),
        (["pruner.min_epochs=4", "pruner.name=hyperband"], {"name": "hyperband", "min_epochs": 4}),
        (["pruner={name: none}"], {"name": "none"}),
    ],
)
def test_another_pruner_comes_without_the_options_of_the_former(
    tmp_path: Path, overrides: list[str], expected: dict[str, Any]
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: mine\npruner: {name: median, n_startup_trials: 3, n_warmup_epochs: 2}\n")
    assert definition_of(file, None, overrides)["pruner"] == expected


def test_another_sampler_keeps_what_every_sampler_has(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: mine\nsampler: {name: tpe, n_startup_trials: 5, group: false, seed: 3, lag: 4}\n")
    changed = definition_of(file, None, ["sampler.name=random"])
    assert changed["sampler"] == {"name": "random", "seed": 3, "lag": 4}


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_may_have_no_pruner(name: str) -> None:
    assert parse_definition(definition_of(None, name, ["pruner.name=none"])).pruner.name == "none"
