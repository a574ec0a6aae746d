"""`pernodedrop check`: what would fail on a fleet is said before a study is submitted, without a service."""

import json
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from search_spaces import parse_definition
from search_spaces.one_of_each import one_of_each
from search_spaces.yaml_text import read_yaml
from service.cli import checking
from service.cli.checking import Found
from service.cli.entry import main
from workers.checking import __main__ as process
from workers.tasks import code

HERE = Path(__file__).parent
STUDY = """
name: mine
task: {name: "checked_tasks:Works", epochs: 3}
objectives: [{metric: val_loss}]
search_space:
  regularizer: {type: categorical, choices: [none, dropout]}
  drop_rate: {type: float, low: 0.1, high: 0.6}
budget: {trials: 5}
"""


FAILING = {
    "checked_tasks:WithoutSlot": "variant dropout would train a plain model: no plain nn.Linear in the model of task ",
    "checked_tasks:WithoutData": "the data: FileNotFoundError: points.csv is missing: make it by prepare.py (checked_t",
    "checked_tasks:Raises": "every variant would fail: KeyError: 'depth' (checked_tasks.py, line ",
    "checked_tasks:Misaligned": "the data: InvalidInputs: train_y of Splits must have the 190 samples of train_x, "
    "got 200: give one target for each sample, in the same order (checked_tasks.py, line ",
    "checked_tasks:WithoutValidation": "the data: InvalidInputs: val_x of Splits must have at least one sample, "
    "got none: give it some (checked_tasks.py, line ",
    "checked_tasks:Named": "the data: InvalidInputs: train_y of Splits must be a tensor, got an array of <U3: "
    "give numbers, of classes those from 0 (checked_tasks.py, line ",
    "checked_tasks:Doubled": "every variant would fail: ChangedInPlace: the model of task checked_tasks:Doubled must "
    "not change the train inputs in place, because they are read again: compute new ones, as x = x * 2 does",
    "checked_tasks:Regression": "every variant would fail: UnusableFigure: the default metrics need logits (N, "
    "classes) and a whole number (N,) for each, got a tensor of float32 and shape (200, 1) and a tensor of float32 and "
    "shape (200, 1): define metrics of task checked_tasks:Regression, which may return {{}}",
    "checked_tasks:EveryPair": "every variant would fail: PairsAll: the loss of task checked_tasks:EveryPair compares "
    "every output with every target, since outputs (128, 1) and targets (128,) broadcast: give the targets the shape ",
    "checked_tasks:Wroks": "task module 'checked_tasks' has no class 'Wroks': did you mean Works?",
    "checked_taks:Works": "task module 'checked_taks' cannot be imported (No module named 'checked_taks'): did you "
    "mean checked_tasks? Else install it where the worker runs, or ",
    "nowhere:Works": "task module 'nowhere' cannot be imported (No module named 'nowhere'): install it where the "
    "worker runs, or give its folder to the worker by --tasks or PERNODEDROP_TASKS",
}
ENDED = "the process ended with exit code 3 while training none: the lines above may say why"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PERNODEDROP_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PERNODEDROP_HOME", str(tmp_path))
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    return str(file)


def checked(capfd: pytest.CaptureFixture[str], study: str, *options: str) -> tuple[int, list[str]]:
    """The exit code, and the lines on standard output."""
    code = main(["check", study, "--tasks", str(HERE), *options])
    return code, capfd.readouterr().out.splitlines()


def problems(lines: list[str]) -> list[str]:
    return [line.removeprefix("problem: ") for line in lines if line.startswith("problem: ")]


@pytest.mark.wide
def test_a_study_that_can_be_trained_passes_and_its_metrics_are_listed(
    study: str, capfd: pytest.CaptureFixture[str]
) -> None:
    status, lines = checked(capfd, study, "--json")
    assert status == 0
    found = json.loads("\n".join(lines))
    assert found["ok"]
    assert found["metrics"].keys() == {"none", "dropout"}
    assert {"val_loss", "val_accuracy", "train_loss", "train_step_loss"} <= found["metrics"]["dropout"].keys()
    assert found["samples"] == {"train": 200, "val": 100}
    assert found["file"] == str(HERE / "checked_tasks.py")
    assert len(found["code"]) == 64
    assert f"--tasks {HERE}" in found["notes"][-1]


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Found]]:
    """What the process of a check finds, for a task and a metric; here without a process of its own."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PERNODEDROP_TASKS", str(HERE))

    def look(task: str, metric: str) -> Found:
        definition = read_yaml(STUDY) | {"objectives": [{"metric": metric}]}
        definition["task"] = {"name": task, "epochs": 3}
        complete = parse_definition(definition).model_dump(mode="json")
        asked = {"definition": complete, "data_folder": str(tmp_path), "fetch": False}
        monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(asked)))
        found = Found("mine", task)
        process.main(lambda kind, **facts: found.take({"kind": kind, **facts}))
        found.gather()
        return found

    yield look
    code._read_once.clear()
    code.version_of.cache_clear()


def test_metrics_are_listed_and_a_wrong_one_is_named(looked_at: Callable[[str, str], Found]) -> None:
    found = looked_at("checked_tasks:Works", "val_acuracy")
    assert found.metrics.keys() == {"none", "dropout"}
    assert {"val_loss", "val_accuracy", "train_loss", "train_step_loss"} <= found.metrics["dropout"].keys()
    assert found.problems == [
        'objectives[0].metric is no metric of checked_tasks:Works, got "val_acuracy": did you mean val_accuracy?'
    ]


@pytest.mark.parametrize(("name", "said"), list(FAILING.items()))
def test_what_would_fail_is_said_in_a_line(looked_at: Callable[[str, str], Found], name: str, said: str) -> None:
    [problem] = looked_at(name, "val_loss").problems
    assert problem.startswith(said.format(name))


@pytest.mark.wide
@pytest.mark.parametrize(("name", "said"), list((FAILING | {"checked_tasks:Ends": ENDED}).items()))
def test_a_process_of_its_own_says_the_same(
    study: str, capfd: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    status, lines = checked(capfd, study, "--set", f"task.name={name}")
    [problem] = problems(lines)
    assert status == 2
    assert problem.startswith(said.format(name))


@pytest.mark.wide
def test_a_check_ends_in_time_and_says_where_it_was(study: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, lines = checked(capfd, study, "--set", "task.name=checked_tasks:Hangs", "--timeout", "30")
    assert status == 0
    assert "note: the check was ended after 30 s, at variant dropout: give it longer with --timeout" in lines
    assert any(line.startswith("variants  none") for line in lines)


@pytest.mark.wide
def test_metrics_that_need_every_sample_get_them(study: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, lines = checked(capfd, study, "--set", "task.name=checked_tasks:NeedsAll")
    assert (status, problems(lines)) == (0, [])


@pytest.mark.wide
def test_a_place_that_the_model_lacks_and_data_that_are_missing_are_said(
    study: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _, lines = checked(capfd, study, "--set", "search_space.regularizer.choices=[none, drop_block]")
    [place] = problems(lines)
    assert place.startswith("variant drop_block would fail: ValueError: drop_block acts on a map, and the model of")
    _, lines = checked(capfd, study, "--set", "task.name=cifar10")
    [data] = problems(lines)
    assert data.endswith(
        "(170 MB) by the first trial of a worker that has a network, or now by the same command with --fetch"
    )


def test_what_needs_no_import_is_said_without_one(
    study: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_tried", None)
    assert main(["check", study, "--tasks", "nowhere"]) == 2
    assert capfd.readouterr().err == "error: --tasks must name folders of tasks, got nowhere: there is no such folder\n"
    assert main(["check", study, "--set", "task.name=digits", "--set", "objectives=[{metric: val_los}]"]) == 2
    assert "did you mean val_loss?" in capfd.readouterr().err
    monkeypatch.setenv("PERNODEDROP_TASK_MODULES", "mylab")
    status, lines = checked(capfd, study)
    assert status == 2
    assert problems(lines) == [
        "task.name: module 'checked_tasks' is not allowed here (allowed: mylab): add it to PERNODEDROP_TASK_MODULES or "
        "use another task"
    ]


def test_numbers_that_are_missing_are_noted(looked_at: Callable[[str, str], Found]) -> None:
    found = looked_at("checked_tasks:Holed", "val_loss")
    assert found.problems == []
    said = "the val inputs hold nan or infinite numbers in 1 sample of 100: mend the data, unless the model and"
    assert [note for note in found.notes if note.startswith(said)]


def test_one_of_each_variant_has_values_of_the_space() -> None:
    definition = parse_definition({
        "name": "one",
        "task": {"name": "digits"},
        "objectives": [{"metric": "val_loss"}],
        "search_space": {
            "regularizer": {"type": "categorical", "choices": ["none", "dropout", "pernodedrop"]},
            "stir_type": {
                "type": "categorical", "choices": ["bernoulli", "gaussian"], "when": {"regularizer": ["pernodedrop"]}
            },
            "drop_rate": {"type": "float", "low": 0.1, "high": 0.5, "step": 0.2},
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
            "units": {"type": "int", "low": 16, "high": 64, "step": 16},
        },
        "budget": {"trials": 5},
    })  # fmt: skip
    found = one_of_each(definition)
    assert list(found) == ["none", "dropout", "pernodedrop-bernoulli-dynamic", "pernodedrop-gaussian-dynamic"]
    for variant, config in found.items():
        assert config.variant == variant
        assert config.units in (16, 32, 48, 64)
        assert config.learning_rate == pytest.approx(1e-3)
        assert config.drop_rate == (0.5 if variant == "none" else 0.3)


def test_the_hooks_of_a_task_are_shown_and_streamed_data_are_tried(
    study: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, lines = checked(capfd, study, "--set", "task.name=checked_tasks:Hooked")
    assert code == 0, lines
    assert "samples   200 train, 100 val" in lines
    assert "inputs    streamed, a dictionary of x, mask" in lines
    assert "hooks     optimizer, augment" in lines
    assert lines[-1] == "mine: nothing was found that would fail, 2 variants tried"
