"""Repeats that differ in their data: validation splits drawn anew, and folds."""

import itertools
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from docs.examples.own_task import Tumours
from search_spaces import Evaluation, TaskSpec, TrialConfig
from service.storage.assignments.progress import EpochDone
from tests.tasks.canonical import write_rcv1, write_speech_commands
from workers.tasks import DataUnavailable, Division, Fold, InvalidOptions, SparseRows, Splits, Task, load_task
from workers.training import Training
from workers.training.seeds import repeat_seed
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.dividing import division_of, task_of
from workers.trial.messages import Order, Report, Started, Stop
from workers.trial.orders import train

CPU = torch.device("cpu")
CONFIG = TrialConfig(regularizer="dropout", units=8)


def divided(name: str, division: Division | None, folder: Path = Path(), **options: int) -> Splits:
    return load_task(TaskSpec(name=name, options=options), folder, division).splits(CPU)


def order(folder: Path, **changes: object) -> Order:
    given = {"config": CONFIG, "study_seed": 3, "repeats": 2, "data_folder": folder, **changes}
    return Order(task=TaskSpec(name="digits", epochs=2, train_size=60, options={"val_size": 30}), **given)


def rows(x: object) -> set[tuple[float, ...]]:
    """The samples, each by its sum and its largest value, whatever their order and their standardization's rounding."""
    if isinstance(x, SparseRows):
        return {tuple(x[i : i + 1].columns.tolist()) for i in range(len(x))}
    assert isinstance(x, Tensor)
    return {tuple(row) for row in x.flatten(1)[:, :64].double().round(decimals=4).tolist()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("divided")
    write_speech_commands(folder, words=("go", "up"), speakers=8, clips=1)
    return write_rcv1(folder)


@pytest.mark.parametrize("name", ["digits", "speech_commands", "rcv1", "linear_factorization"])
def test_a_seed_draws_validation_anew_and_leaves_the_test_split(name: str, data: Path) -> None:
    usual, one, other = (divided(name, each, data) for each in (None, Division(seed=2**60), Division(seed=7)))
    assert rows(one.val_x) != rows(other.val_x) != rows(usual.val_x)
    assert all(torch.equal(usual.test_y, each.test_y) for each in (one, other))  # type: ignore[arg-type]
    if name != "digits":  # whose test images are standardized by each training split
        assert rows(usual.test_x) == rows(one.test_x) == rows(other.test_x)
    if name in ("speech_commands", "rcv1"):  # nothing gets lost
        pools = [rows(each.train_x) | rows(each.val_x) for each in (usual, one, other)]
        assert pools[0] == pools[1] == pools[2]
    again = load_task(TaskSpec(name=name), data, Division(seed=7))
    assert rows(again.split(CPU, Division(seed=7)).val_x) == rows(other.val_x)  # read anew


def test_digits_are_standardized_by_the_training_split_that_was_drawn() -> None:
    for found in (divided("digits", Division(seed=1)), divided("digits", Division(fold=Fold(2, 5, 9)))):
        assert abs(found.train_x.mean()) < 1e-5  # type: ignore[union-attr]
        assert abs(found.val_x.mean()) > 1e-5  # type: ignore[union-attr]


def test_every_sample_is_tested_in_one_fold_and_trained_in_the_others() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 203)
    cut = [Fold(number, 5, 11).cut(labels) for number in range(5)]
    assert sorted(np.concatenate([tested for _, tested in cut])) == list(range(203))
    for rest, tested in cut:
        assert sorted([*rest, *tested]) == list(range(203))
        assert len(tested) in (40, 41)
        assert np.allclose(np.bincount(labels[tested]) / len(tested), np.bincount(labels) / 203, atol=0.05)
    assert not np.array_equal(Fold(0, 5, 12).cut(labels)[1], cut[0][1])
    with pytest.raises(InvalidOptions, match=r"^folds must be at most the 3 samples there are, got 5$"):
        Fold(0, 5, 0).cut(labels[:3])


def test_the_folds_of_digits_are_of_all_images() -> None:
    found = [divided("digits", Division(fold=Fold(number, 5, 3))) for number in range(5)]
    assert sum(len(each.test_y) for each in found) == 1797  # type: ignore[arg-type]
    assert all(len(each.train_y) + len(each.val_y) + len(each.test_y) == 1797 for each in found)  # type: ignore[arg-type]


def test_a_seed_of_the_study_has_one_division_for_all_configurations(tmp_path: Path) -> None:
    given = order(tmp_path, splits_anew=True, folds=5)
    divisions = [division_of(given, seed) for seed in range(7)]
    assert [each.fold.number for each in divisions if each and each.fold] == [0, 1, 2, 3, 4, 0, 1]
    assert len({each.seed for each in divisions if each}) == 7
    other = order(tmp_path, splits_anew=True, folds=5, config=TrialConfig(), first_seed=4, repeats=3)
    assert task_of(other, 2).division == divisions[6]
    assert division_of(order(tmp_path), 3) is None
    assert division_of(order(tmp_path, folds=2), 3) == Division(fold=Fold(1, 2, divisions[0].fold.seed))  # type: ignore[union-attr]
    assert division_of(order(tmp_path, splits_anew=True, study_seed=4), 0) != division_of(given, 0)


def test_speakers_that_a_list_names_cannot_be_drawn_anew(tmp_path: Path) -> None:
    folder = write_speech_commands(tmp_path, words=("go", "up"), speakers=8, clips=1)
    clip = next(folder.glob("go/*.wav"))
    (folder / "validation_list.txt").write_text(f"go/{clip.name}\n")
    with pytest.raises(DataUnavailable, match=r"validation_list.txt says who validates: remove it, or leave out"):
        divided("speech_commands", Division(seed=1), tmp_path)


class Plain(Task):
    def load(self, device: torch.device) -> Splits:
        x = torch.ones(4, 1, device=device)
        return Splits(x, x, x, x)

    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Linear(1, 1)


class Untested(Plain):
    def split(self, device: torch.device, division: Division) -> Splits:
        return self.load(device)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Plain, r"cannot split its data anew: define its method split, or leave out repeats_vary and folds$"),
        (Untested, r"must give test_x and test_y, those of division\.fold$"),
    ],
)
def test_an_own_task_that_cannot_says_so_in_one_line(task: type[Task], message: str) -> None:
    found = load_task(TaskSpec(name=f"{__name__}:{task.__name__}"), Path(), Division(fold=Fold(0, 2, 0)))
    with pytest.raises(InvalidOptions, match=message):
        found.splits(CPU)


def test_the_example_task_has_folds_and_draws_anew() -> None:
    spec = TaskSpec(name="docs.examples.own_task:Tumours")
    assert load_task(spec, Path()).__class__ is Tumours
    usual, drawn, fold = (
        load_task(spec, Path(), each).splits(CPU)
        for each in (None, Division(seed=2**62 + 9), Division(fold=Fold(1, 4, 5)))
    )
    assert torch.equal(usual.test_y, drawn.test_y)  # type: ignore[arg-type]
    assert rows(usual.val_x) != rows(drawn.val_x)
    assert len(fold.test_y) in (142, 143)  # type: ignore[arg-type]


class Judged(Task):
    def load(self, device: torch.device) -> Splits:
        x, y = torch.ones(4, 1, device=device), torch.zeros(4, dtype=torch.int64, device=device)
        return Splits(x, y, x, y)

    def split(self, device: torch.device, division: Division) -> Splits:
        return self.load(device)

    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Sequential(OrderedDict(slot=nn.Linear(1, 2)))


def test_models_that_other_inputs_judge_are_not_examined(tmp_path: Path) -> None:
    task = TaskSpec(name=f"{__name__}:Judged", epochs=1)
    given = replace(order(tmp_path, evaluation=Evaluation()), task=task)
    assert isinstance(next(train(given, CPU, lambda _: None)), Started)
    with pytest.raises(ValueError, match="every repeat has another validation split: give the task a test split"):
        next(train(replace(given, splits_anew=True), CPU, lambda _: None))


def figures(of: list[Report]) -> list[dict[str, float]]:
    done = [report for report in of if isinstance(report, EpochDone)]
    return [{name: value for name, value in each.metrics.items() if "seconds" not in name} for each in done]


def test_each_repeat_of_an_order_trains_on_its_own_split(tmp_path: Path) -> None:
    given = order(tmp_path, splits_anew=True, first_seed=1)
    trained = figures(list(train(given, CPU, lambda _: None)))
    alone = Training(task_of(given, 1), CONFIG, epochs=2, seed=repeat_seed(3, 2), device=CPU)
    expected = [
        {name: value for name, value in each.metrics.items() if "seconds" not in name} for each in alone.epochs()
    ]
    assert trained[2:] == expected
    assert trained != figures(list(train(order(tmp_path, first_seed=1), CPU, lambda _: None)))


def test_a_training_goes_on_with_the_split_that_it_began_with(tmp_path: Path) -> None:
    kept = CheckpointRoot(str(tmp_path / "checkpoints"), "1f-16384")
    given = order(tmp_path, splits_anew=True, folds=3, checkpoints=kept, run_id=7, token=1, checkpoint_every=1e9)
    whole = figures(list(train(given, CPU, lambda _: None)))
    asked = itertools.count(1)
    list(train(given, CPU, lambda _: Stop(keep=True) if next(asked) == 3 else None))  # in the second repeat
    resumed = list(train(replace(given, token=2), CPU, lambda _: None))
    assert isinstance(resumed[0], Started)
    assert resumed[0].facts["resumed_after_epoch"] == 3
    assert figures(resumed) == whole
    anew = next(train(replace(given, token=3, folds=4), CPU, lambda _: None))  # another training: nothing to go on from
    assert isinstance(anew, Started)
    assert "resumed_after_epoch" not in anew.facts
