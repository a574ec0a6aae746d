"""The example of docs/own-task.md, from its study definition to a trained model."""

import re
import textwrap
from pathlib import Path

import optuna
import pytest
import torch

from search_spaces import StudyDefinition, parse_definition
from search_spaces.optuna import suggest
from search_spaces.yaml_text import read_yaml
from workers.tasks import InputSet, Task, load_task
from workers.training import Training

DOCS = Path(__file__).parents[2] / "docs"
CPU = torch.device("cpu")


@pytest.fixture
def definition() -> StudyDefinition:
    return parse_definition(read_yaml((DOCS / "examples" / "own_task.yaml").read_text()))


@pytest.fixture
def tumours(definition: StudyDefinition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Task:
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    return load_task(definition.task, tmp_path)


def test_trains_what_its_study_suggests(definition: StudyDefinition, tumours: Task) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        config = suggest(study.ask(), definition)
        training = Training(tumours, config, epochs=definition.task.epochs, seed=0, device=CPU)
        *_, last = training.epochs()
        assert last.metrics["val_accuracy"] > 0.85  # the larger class has 0.63
        assert last.metrics["val_sensitivity"] > 0.75
        assert definition.objectives[0].metric in last.metrics


def test_its_options_reach_the_loss(definition: StudyDefinition, tumours: Task) -> None:
    missed = tumours.loss(torch.zeros(1), torch.ones(1))
    false_alarm = tumours.loss(torch.zeros(1), torch.zeros(1))
    assert missed.item() == pytest.approx(2 * false_alarm.item())


def test_the_splits_share_no_sample(tumours: Task) -> None:
    data = tumours.splits(CPU)
    assert data.test_x is not None
    rows = [{row.numpy().tobytes() for row in x} for x in (data.train_x, data.val_x, data.test_x)]
    assert [len(part) for part in rows] == [341, 114, 114]
    assert len(set.union(*rows)) == 569


def test_the_page_names_files_and_methods_that_exist(tumours: Task) -> None:
    page = (DOCS / "own-task.md").read_text()
    files = {link.partition("#")[0] or "own-task.md" for link in re.findall(r"\]\(([^)]+)\)", page)}
    assert {file for file in files if not (DOCS / file).is_file()} == set()
    assert all(hasattr(tumours, method) for method in re.findall(r"^\| `(\w+)\(", page, flags=re.MULTILINE))


def test_the_pages_inputs_out_of_distribution_are_what_the_interface_asks_for(tumours: Task) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "own-task.md").read_text(), flags=re.DOTALL)
    (code,) = [block for block in blocks if "def out_of_distribution" in block]
    names: dict = {"torch": torch, "InputSet": InputSet}
    exec(textwrap.dedent(code), names)
    sets = names["out_of_distribution"](tumours, "noise", CPU)
    assert [(each.name, each.kind, each.level) for each in sets] == [(f"noise_{k}", "shift", k) for k in (1, 2, 3)]
    assert all(each.x.shape == tumours.splits(CPU).test_x.shape and len(each.y) == len(each.x) for each in sets)
    with pytest.raises(ValueError, match=r"named 'fog': there is noise$"):
        names["out_of_distribution"](tumours, "fog", CPU)
    with pytest.raises(ValueError, match=r"^task own_task:Tumours offers no inputs out of distribution, got 'noise'$"):
        tumours.out_of_distribution("noise", CPU)
