"""A task with a name that a test alone brings: one class and one entry are all that it needs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search_spaces import (
    BUILT_IN_TASKS,
    BuiltInTask,
    InvalidDefinition,
    StudyDefinition,
    TrialConfig,
    definition_schema,
    named_scale,
    parse_definition,
    scaled,
)
from tests.extensions.outside_task import QUADRANTS, Quadrants
from tests.search_spaces.studies import raw
from workers.tasks import UnknownTask, load_task
from workers.training import Training

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
from pathlib import Path
from search_spaces import named_scale, parse_definition, scaled
from tests.search_spaces.studies import raw
from workers.tasks import load_task
definition = parse_definition(raw(task={"name": "quadrants", "epochs": 8}))
print(scaled(definition, named_scale("small", definition)).task.train_size)
print(type(load_task(definition.task, Path())).__name__)
"""
SILENT = replace(QUADRANTS, path="tests.extensions.outside_task:Octants")


def brought(name: str, task: BuiltInTask) -> Iterator[None]:
    BUILT_IN_TASKS.register(name, task)
    yield
    BUILT_IN_TASKS.remove(name)


@pytest.fixture
def _quadrants() -> Iterator[None]:
    yield from brought("quadrants", QUADRANTS)


@pytest.fixture
def _octants() -> Iterator[None]:
    yield from brought("octants", SILENT)


def study(name: str) -> StudyDefinition:
    return parse_definition(raw(task={"name": name, "epochs": 8}))


@pytest.mark.usefixtures("_quadrants")
def test_a_study_names_it_scales_it_and_trains_it(tmp_path: Path) -> None:
    definition = study("quadrants")
    assert definition.task.is_built_in
    sizes = {}
    for name in ("small", "medium", "full"):
        smaller = scaled(definition, named_scale(name, definition)).task
        sizes[name] = (smaller.train_size, smaller.options)
    assert sizes == {"small": (50, {}), "medium": (100, {"val_size": 20}), "full": (None, {})}

    task = load_task(definition.task, tmp_path)
    assert type(task) is Quadrants
    config = TrialConfig("dropout", drop_rate=0.1, units=64, learning_rate=0.05)
    *_, last = Training(task, config, epochs=8, seed=0, device=torch.device("cpu")).epochs()
    assert last.metrics["val_accuracy"] > 0.9  # by chance 0.25


@pytest.mark.usefixtures("_quadrants")
def test_messages_and_schema_name_it() -> None:
    with pytest.raises(
        InvalidDefinition, match=r"rcv1, quadrants, external, or an own package\.module:Class, got \"quadrant\""
    ):
        study("quadrant")
    with pytest.raises(UnknownTask, match=r"rcv1, quadrants or package\.module:Class, got 'quadrant'"):
        load_task(study("digits").task.model_copy(update={"name": "quadrant"}), Path())
    assert "rcv1, quadrants" in json.dumps(definition_schema())


@pytest.mark.usefixtures("_octants")
def test_an_entry_without_its_class_raises() -> None:
    with pytest.raises(UnknownTask, match=r"'tests\.extensions\.outside_task' has no class 'Octants'"):
        load_task(study("octants").task, Path())


def test_without_it_the_name_is_unknown() -> None:
    assert "quadrants" not in json.dumps(definition_schema())
    with pytest.raises(InvalidDefinition, match=r"task\.name must be one of digits"):
        study("quadrants")


def test_another_distribution_brings_it_by_an_entry_point(tmp_path: Path) -> None:
    info = tmp_path / "quadrants-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quadrants\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pernodedrop.tasks]\nquadrants = tests.extensions.outside_task:QUADRANTS\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["50", "Quadrants"]
