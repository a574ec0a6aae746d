"""Every method with every hook at once: it trains, is interrupted, measured, examined, kept and built again."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pernodedrop.names import REGULARIZERS
from search_spaces import TrialConfig
from service.storage.assignments.progress import EpochDone
from tests.hooks.orders import exact, order, reports, spec
from tests.weights.test_methods import of_the_test, unpacked
from workers.tasks import Structured
from workers.trial.messages import Kept, Started
from workers.winner import load_winner
from workers.winner.exporting import write_pt2

CPU = torch.device("cpu")
MEASURED: dict[str, Any] = {
    "mask_noise_pairs": 1,
    "masked_loss_draws": 1,
    "learning_rate_schedule": "cosine",
}
CURVATURE: dict[str, Any] = {"curvature_every": 2, "curvature_samples": 32, "curvature_vectors": 2}


def config(regularizer: str, **parts: Any) -> TrialConfig:
    extra = {"block_size": 1} if regularizer == "drop_block" else {}
    return TrialConfig(regularizer, units=8, batch_size=16, learning_rate=0.01, drop_rate=0.3, extra=extra, **parts)


def check(task: str, of: TrialConfig, folder: Path, options: dict[str, Any], precision: str = "float32") -> None:
    told = spec(task, options=options, precision=precision)
    whole = list(reports(order(told, folder / "whole", config=of)))
    list(reports(order(told, folder / "parts", config=of), leave_after=1))
    resumed = list(reports(order(told, folder / "parts", config=of, token=2)))
    assert isinstance(resumed[0], Started)
    assert resumed[0].facts["resumed_after_epoch"] == 1
    assert exact(resumed) == exact(whole)
    done = [one for one in whole if isinstance(one, EpochDone)]
    kept = [one for one in whole if isinstance(one, Kept)]
    assert len(kept) == 1
    unpacked(kept, folder / "whole")
    for one in kept:
        winner = load_winner(folder / "whole", seed=1 + one.weights.repeat)
        assert winner.measured() == of_the_test(done, one)


@pytest.mark.wide
@pytest.mark.parametrize("regularizer", sorted(REGULARIZERS))
def test_every_method_with_every_hook(regularizer: str, tmp_path: Path) -> None:
    measured = {**MEASURED, **(CURVATURE if regularizer in ("implicit", "pernodedrop") else {})}
    check("Everything", config(regularizer, **measured), tmp_path, {"blurred": True})


@pytest.mark.wide
@pytest.mark.parametrize("regularizer", ["averaged", "masksembles", "pernodedrop", "zoneout"])
def test_in_bfloat16_too(regularizer: str, tmp_path: Path) -> None:
    check("Everything", config(regularizer, **MEASURED), tmp_path, {"blurred": True}, "bfloat16")


@pytest.mark.wide
@pytest.mark.parametrize("task", ["Words", "Augmented", "Optimized", "OnDisk"])
def test_each_hook_with_all_that_is_measured(task: str, tmp_path: Path) -> None:
    check(task, config("pernodedrop", **MEASURED, **CURVATURE), tmp_path, {"readers": 2})


def test_a_method_with_every_hook(tmp_path: Path) -> None:
    check("Everything", config("masksembles", **MEASURED), tmp_path, {})


@pytest.mark.wide
@pytest.mark.parametrize("divided", [{"splits_anew": True}, {"folds": 5, "splits_anew": True}], ids=["anew", "folds"])
def test_repeats_of_other_data_of_fewer_samples(divided: dict[str, Any], tmp_path: Path) -> None:
    told = spec("Everything", options={"blurred": True}, train_size=40)
    of = order(told, tmp_path, repeats=2, evaluation=None, **divided)
    started, *others = reports(of)
    assert isinstance(started, Started)
    assert started.facts["train_samples"] == 40
    first, _, second, _ = (one.metrics["val_loss"] for one in others if isinstance(one, EpochDone))
    assert first != second


@pytest.mark.wide
def test_a_model_of_several_tensors_is_exported(tmp_path: Path) -> None:
    told = order(spec("Words"), tmp_path, config=config("dropout"), repeats=2)
    unpacked([one for one in reports(told) if isinstance(one, Kept)], tmp_path)
    winner = load_winner(tmp_path, ensemble=True)
    write_pt2(winner, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()
    x = load_winner(tmp_path).task.splits(CPU).test_x
    assert isinstance(x, Structured)
    for several in (x[:1], x[:7], x):
        torch.testing.assert_close(program(several.parts), winner.predict(several.parts), rtol=1e-5, atol=1e-5)
