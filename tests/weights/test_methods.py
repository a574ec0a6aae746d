"""Every method's model, built again from its file, measures what its training did; exported, it predicts the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pernodedrop.names import REGULARIZERS
from search_spaces import Objective, TaskSpec, TrialConfig
from service.storage.artifacts import ArtifactRoot
from service.storage.assignments.progress import EpochDone
from service.storage.records import Weights
from workers.training.exporting import Exported
from workers.trial.messages import Kept, Order
from workers.trial.orders import train
from workers.trial.weights import packed
from workers.winner import BadWinner, Winner, load_winner
from workers.winner.exporting import write_onnx, write_pt2

FIXED = {"regularizer": "pernodedrop", "mask_mode": "fixed"}
CYCLES = {"learning_rate_schedule": "snapshot", "learning_rate_cycles": 2}
BACKBONES = {
    "drop_block": "resnet",
    "stochastic_depth": "transformer",
    "variational_rnn_dropout": "lstm",
    "zoneout": "lstm",
}
SOME: list[dict[str, Any]] = [FIXED, {"regularizer": "masksembles", **CYCLES}]
MORE: list[dict[str, Any]] = [
    *({"regularizer": name} for name in sorted(REGULARIZERS)),
    {**FIXED, "stir_type": "gaussian"},
    {"regularizer": "dropout", **CYCLES},
    {"regularizer": "standout", "drop_rate_schedule": "constant"},
    {"regularizer": "stochastic_depth", "extra": {"depth_mode": "original"}},
    {"regularizer": "zoneout", "drop_rate_schedule": "linear_up"},
]


def trained(parameters: dict[str, Any], folder: Path, **parts: Any) -> tuple[list[EpochDone], list[Kept]]:
    """Two seeds on digits, with weights in `folder`/artifacts."""
    name = parameters["regularizer"]
    options = {"backbone": BACKBONES[name]} if name in BACKBONES else {}
    if name == "drop_block":
        parameters = {**parameters, "extra": {"block_size": 1}}
    objective = Objective(metric="val_loss")
    order = Order(
        task=TaskSpec(name="digits", epochs=2, train_size=200, options=options),
        config=TrialConfig(units=8, drop_rate=parameters.pop("drop_rate", 0.5), **parameters),
        study_seed=3,
        repeats=2,
        first_seed=1,
        data_folder=folder,
        run_id=7,
        tested_by=objective,
        kept_by=objective,
        artifacts=ArtifactRoot(str(folder / "artifacts"), "1f-16384"),
        **parts,
    )
    told = list(train(order, torch.device("cpu"), lambda _: None))
    return [one for one in told if isinstance(one, EpochDone)], [one for one in told if isinstance(one, Kept)]


def unpacked(kept: Sequence[Kept], folder: Path) -> Path:
    """A folder as `pernodedrop weights` writes it."""
    files = []
    for one in kept:
        assert one.weights.digest is not None, one.weights.reason
        [source] = folder.glob(f"artifacts/run-7/*-{one.weights.digest}.safetensors")
        name = f"seed-{1 + one.weights.repeat}.safetensors"
        (folder / name).write_bytes(source.read_bytes())
        files.append({"file": name, "sha256": one.weights.digest})
    told = {"format": "pernodedrop winner", "version": 1, "study": "s", "variant": "v", "digest": "d", "files": files}
    (folder / "winner.json").write_text(json.dumps(told))
    return folder


def of_the_test(done: Sequence[EpochDone], one: Kept) -> dict[str, float]:
    """What was measured of the test split at the epoch that was kept."""
    [best] = [each for each in done if (each.repeat, each.epoch) == (one.weights.repeat, one.weights.epoch)]
    return {name: value for name, value in best.metrics.items() if name.startswith("test_")}


def check(parameters: dict[str, Any], folder: Path) -> Winner:
    done, kept = trained(dict(parameters), folder)
    unpacked(kept, folder)
    for one in kept:
        winner = load_winner(folder, seed=1 + one.weights.repeat)
        assert winner.measured() == of_the_test(done, one)
        x = winner.task.splits(torch.device("cpu")).test_x
        torch.testing.assert_close(winner.model(x), winner.predict(x), rtol=1e-5, atol=1e-5)
    return winner


@pytest.mark.parametrize("parameters", SOME, ids=["fixed", "masksembles-snapshots"])
def test_some_models_are_what_they_were(parameters: dict[str, Any], tmp_path: Path) -> None:
    check(parameters, tmp_path)


@pytest.mark.wide
@pytest.mark.parametrize("parameters", MORE, ids=lambda one: "-".join(map(str, one.values())))
def test_every_model_is_what_it_was_and_so_is_its_export(parameters: dict[str, Any], tmp_path: Path) -> None:
    winner = check(parameters, tmp_path)
    write_pt2(winner, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()
    x = winner.task.splits(torch.device("cpu")).test_x
    for several in (x[:1], x[:7], x):
        torch.testing.assert_close(program(several), winner.model(several), rtol=1e-5, atol=1e-5)


def test_a_winner_says_what_it_is_and_what_it_is_not(tmp_path: Path) -> None:
    done, kept = trained({"regularizer": "dropout"}, tmp_path)
    unpacked(kept, tmp_path)
    by_validation = [
        next(
            one.metrics["val_loss"]
            for one in done
            if (one.repeat, one.epoch) == (each.weights.repeat, each.weights.epoch)
        )
        for each in kept
    ]
    first = load_winner(tmp_path)
    assert (first.seeds, first.seed) == ((1, 2), 1 + by_validation.index(min(by_validation)))
    assert (first.configuration["regularizer"], first.config.units, first.model.training) == ("dropout", 8, False)
    assert not any(parameter.requires_grad for parameter in first.model.parameters())
    together = load_winner(tmp_path, ensemble=True)
    x = together.task.splits(torch.device("cpu")).test_x
    each = [load_winner(tmp_path, seed=seed).model(x).softmax(1) for seed in (1, 2)]
    torch.testing.assert_close(together.model(x).softmax(1), torch.stack(each).mean(0))
    assert (together.seed, together.measured().keys()) == (None, of_the_test(done, kept[0]).keys())
    for wrong, said in (({"seed": 3}, "has the seeds 1, 2, got 3"), ({"seed": 1, "ensemble": True}, "leave seed out")):
        with pytest.raises(BadWinner, match=said):
            load_winner(tmp_path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadWinner, match="ONNX needs onnx and onnxscript, not installed here"):
        write_onnx(first, tmp_path / "model.onnx")
    (tmp_path / "seed-2.safetensors").write_bytes(b"other")
    with pytest.raises(BadWinner, match="was changed"):
        load_winner(tmp_path)
    (tmp_path / "seed-2.safetensors").unlink()
    with pytest.raises(BadWinner, match="is missing"):
        load_winner(tmp_path)
    with pytest.raises(BadWinner, match=r"has no winner.json: write one by `pernodedrop weights"):
        load_winner(tmp_path / "artifacts")


def made_by_hand(folder: Path, name: str, **changes: Any) -> Path:
    """A folder with one seed of a task of this name."""
    head = {
        "task": {"name": name, "epochs": 1},
        "code": "",
        "configuration": {},
        "study_seed": 0,
        "seed": 1,
        "splits_anew": False,
        "folds": None,
        "epoch": 1,
        "objective": {"metric": "val_loss"},
        "judged_by": "model",
        "figures": {"val_loss": 0.5},
        "input": None,
        **changes,
    }
    data = packed(Exported("plain", None, None, {"weight": torch.ones(1, 1), "bias": torch.zeros(1)}), head)
    digest = ArtifactRoot(str(folder / "artifacts"), "1f-16384").write(7, 1, data)
    return unpacked([Kept(Weights(7, 0, 1, digest, len(data)))], folder)


@pytest.mark.parametrize(
    "changes",
    [{"snapshots": 10**12}, {"snapshots": -1.5}, {"figures": {"val_loss": "0"}}, {"figures": []}, {"task": {}}],
)
def test_a_file_that_says_nonsense_is_refused_in_one_line(changes: dict[str, Any], tmp_path: Path) -> None:
    made_by_hand(tmp_path, "digits", **changes)
    with pytest.raises(BadWinner, match=r"does not say all that it takes to build its model \([A-Za-z]+\)$"):
        load_winner(tmp_path)


def test_an_own_tasks_module_must_be_here_and_the_same(tmp_path: Path) -> None:
    with pytest.raises(
        BadWinner, match=r"of the own task mylab.nets:Mine, whose module must be importable: name the f"
    ):
        load_winner(made_by_hand(tmp_path / "absent", "mylab.nets:Mine"))
    here = "tests.workers.own_tasks:Line"
    with pytest.warns(UserWarning, match="is another one than that which trained"):
        winner = load_winner(made_by_hand(tmp_path / "edited", here, code="0" * 64))
    assert winner.model(torch.full((2, 1), 3.0)).flatten().tolist() == [3.0, 3.0]
    with pytest.raises(BadWinner, match=f"task {here} has no split 'test': choose train, val or test"):
        winner.measured()
    with pytest.raises(BadWinner, match=r"inputs of task .* are sparse"):
        write_pt2(winner, tmp_path / "model.pt2")
    with pytest.raises(BadWinner, match="must have version 1, got 2: use the release that wrote it"):
        load_winner(made_by_hand(tmp_path / "later", here, version=2))
    with pytest.raises(BadWinner, match=r"does not say all that it takes to build its model \(ValidationError\)"):
        load_winner(made_by_hand(tmp_path / "lame", here, objective=None))
    with pytest.raises(BadWinner, match="task digits builds another model here than it did: "):
        load_winner(made_by_hand(tmp_path / "other", "digits"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"files": None}, "must list its files, each with file and sha256: get it again"),
        ({"files": "x"}, "must list its files, each with file and sha256"),
        ({"files": [{"file": 3, "sha256": "0"}]}, "must list its files, each with file and sha256"),
        ({"files": [{"file": "a", "sha256": "0"}] * 2}, "must list each file once"),
        ({"study": ...}, "does not say its study: get it again"),
        ({"digest": ...}, "does not say its digest"),
        ({"files": ...}, "must list its files"),
    ],
)
def test_a_damaged_list_is_refused_in_one_line(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    unpacked([], tmp_path)
    told = {**json.loads((tmp_path / "winner.json").read_text()), **changes}
    kept = {name: value for name, value in told.items() if value is not ...}
    (tmp_path / "winner.json").write_text(json.dumps(kept))
    with pytest.raises(BadWinner, match=said):
        load_winner(tmp_path)


def test_a_place_that_is_no_folder_or_no_list_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "winner.json").write_text("[" * 100_000)
    with pytest.raises(BadWinner, match=r"is damaged .*: get it again"):
        load_winner(tmp_path)
    with pytest.raises(BadWinner, match=r"has no winner.json: write one by"):
        load_winner(tmp_path / "winner.json")
    (tmp_path / "winner.json").unlink()
    (tmp_path / "winner.json").mkdir()
    with pytest.raises(BadWinner, match=r"is damaged .*: get it again"):
        load_winner(tmp_path)
