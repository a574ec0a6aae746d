"""A confirmation's models are examined once, beside a training that does not notice."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pernodedrop.uncertainty import uncertainty_of
from search_spaces import Evaluation, TaskSpec
from service.storage.assignments.progress import EpochDone
from tests.workers.examining import EVALUATION, exact, order, reports
from tests.workers.test_checkpoints import figures
from workers.tasks import load_task
from workers.trial.checkpoints import CheckpointStore
from workers.trial.fingerprint import FORMAT, fingerprint_of
from workers.trial.messages import Examined, Examining, Finished, Report, Stopped

CPU = torch.device("cpu")


def examined(of: list[Report]) -> list[Examined]:
    return [one for one in of if isinstance(one, Examined)]


def test_each_repeats_best_model_is_examined_once_on_every_set(tmp_path: Path) -> None:
    wanted = Evaluation(passes=3, out_of_distribution=("shift", "far"), inputs=200)
    whole = list(reports(order(tmp_path, evaluation=wanted)))
    assert isinstance(whole[-1], Finished)
    sets = ["test", "shift_1", "shift_2", "far"]
    found = [one.examination for one in examined(whole)]
    assert [(e.repeat, e.inputs) for e in found] == [(repeat, name) for repeat in (0, 1) for name in sets]
    announced = [(one.repeat, one.inputs) for one in whole if isinstance(one, Examining)]
    assert announced == [(e.repeat, e.inputs) for e in found]
    for repeat in (0, 1):
        epochs = [r for r in whole if isinstance(r, EpochDone) and r.repeat == repeat]
        best = min(epochs, key=lambda done: done.metrics["val_loss"])
        test, shift, _, far = (e for e in found if e.repeat == repeat)
        assert {e.epoch for e in found if e.repeat == repeat} == {best.epoch}
        # The evaluated pass of the kept model is the model that was tested at its epoch.
        assert test.figures["loss_evaluated"] == pytest.approx(best.metrics["test_loss"], rel=1e-6)
        assert test.figures["accuracy_evaluated"] == best.metrics["test_accuracy"]
        assert (test.kind, test.passes, test.outputs, test.figures["size"]) == ("test", 3, "softmax", 150.0)
        assert (shift.kind, shift.level) == ("shift", 1)
        assert test.figures["mean_loss"] >= test.figures["loss"]  # Jensen
        assert test.figures["total"] == pytest.approx(test.figures["aleatoric"] + test.figures["plug_in"])
        assert {"joint_nll", "pass_correlation", "ece", "brier"} <= test.figures.keys()
        assert "loss" not in far.figures, "no label of the model's fits"
        assert np.isnan(far.scores["nll"]).all()
        assert np.isnan(far.scores["correct"]).all()
        assert "log_probabilities" not in far.scores
        log_p, targets = test.scores["log_probabilities"], test.scores["targets"].astype(int)
        assert log_p.shape == (150, 3)
        np.testing.assert_allclose(test.scores["nll"], -log_p[np.arange(150), targets], rtol=1e-6)
        np.testing.assert_allclose(test.scores["confidence"], np.exp(log_p.max(1)), rtol=1e-6)
        np.testing.assert_array_equal(test.scores["correct"], log_p.argmax(1) == targets)
        np.testing.assert_allclose(test.scores["entropy"], -(np.exp(log_p) * log_p).sum(1), rtol=1e-4)
        assert test.figures["accuracy"] == pytest.approx(test.scores["correct"].mean())
        assert test.figures["epistemic"] == pytest.approx(test.scores["epistemic"].mean(), rel=1e-4)


def test_only_so_many_inputs_have_scores_the_same_ones_in_every_run(tmp_path: Path) -> None:
    runs = [
        examined(list(reports(order(tmp_path / name, regularizer=name, repeats=1))))[0]
        for name in ("pernodedrop", "none")
    ]
    pernodedrop, none = (run.examination for run in runs)
    assert pernodedrop.scores["confidence"].shape == (100,)
    assert pernodedrop.figures["size"] == 150.0
    np.testing.assert_array_equal(pernodedrop.scores["targets"], none.scores["targets"])
    labels = load_task(order(tmp_path).task, tmp_path).splits(CPU).test_y
    assert labels is not None
    assert pernodedrop.scores["targets"].tolist() != labels[:100].tolist(), "the order of the file is no sample"


def test_a_model_without_noise_has_one_pass_and_no_epistemic_part(tmp_path: Path) -> None:
    for regularizer, passes in (("none", 1), ("masksembles", 4)):
        of = order(tmp_path / regularizer, regularizer=regularizer, repeats=1)
        found = [one.examination for one in examined(list(reports(of)))]
        assert {e.passes for e in found} == {passes}
        assert {bool(e.scores["epistemic"].any()) for e in found} == {passes > 1}
        assert {"pass_correlation" in e.figures for e in found} == {passes > 1}


def test_labels_have_a_probability_each(tmp_path: Path) -> None:
    spec = TaskSpec(name="tests.workers.examined_tasks:Labels", epochs=1, train_size=64)
    of = order(tmp_path, task=spec, repeats=1, evaluation=Evaluation(passes=2, inputs=200))
    [test] = (one.examination for one in examined(list(reports(of))))
    assert (test.outputs, sorted(test.scores)) == (
        "sigmoid",
        ["confidence", "correct", "entropy", "epistemic", "log_probabilities", "nll", "targets"],
    )
    yes, targets = np.exp(test.scores["log_probabilities"].astype(float)), test.scores["targets"]
    assert yes.shape == targets.shape == (150, 2)
    likelihoods = np.where(targets == 1, yes, 1 - yes)
    np.testing.assert_allclose(test.scores["nll"], -np.log(likelihoods).sum(1), rtol=1e-4)
    assert test.figures["loss"] == pytest.approx(test.scores["nll"].mean() / 2, rel=1e-4)  # a mean over the labels
    assert test.figures["accuracy"] == pytest.approx(test.scores["correct"].mean())


def test_inputs_share_the_masks_that_dropconnect_draws_once_a_call(tmp_path: Path) -> None:
    """So the passes are calls: had the inputs been repeated in one call, all passes would be equal."""
    many = Evaluation(passes=20, inputs=100)
    alike = {}
    for regularizer in ("dropconnect", "pernodedrop"):
        [test] = examined(list(reports(order(tmp_path / regularizer, 1, regularizer, repeats=1, evaluation=many))))
        assert test.examination.figures["epistemic"] > 0.0
        alike[regularizer] = test.examination.figures["pass_correlation"]
    assert alike["dropconnect"] > 0.1
    assert abs(alike["pernodedrop"]) < 0.03  # 32 inputs, 496 pairs, of which each has a deviation of 1 / sqrt(19)


def test_a_training_is_the_same_with_and_without_an_evaluation(tmp_path: Path) -> None:
    kept = {}
    for name, evaluation in (("with", EVALUATION), ("without", None)):
        of = order(tmp_path / name, evaluation=evaluation)
        kept[name] = figures(list(reports(of)))
        # After the last epoch, behind two sets of the first repeat and before those of the second.
        list(reports(replace(of, run_id=8), leave_after=6 if evaluation else 4))
    assert kept["with"] == kept["without"]
    states = []
    for name, evaluation in (("with", EVALUATION), ("without", None)):
        of = order(tmp_path / name, evaluation=evaluation, run_id=8)
        fingerprint = fingerprint_of(of, load_task(of.task, of.data_folder), CPU)
        assert of.checkpoints is not None
        state = CheckpointStore(of.checkpoints, 8, 2, fingerprint).load()
        assert state is not None
        assert ("examined" in state, "best" in state["training"]) == (name == "with",) * 2
        states.append(state["training"])
    for part in ("model", "order", "noise", "optimizer"):
        torch.testing.assert_close(states[0][part], states[1][part], rtol=0, atol=0)


def test_every_point_of_departure_leads_to_the_same_examinations(tmp_path: Path) -> None:
    """After an epoch in mid-training, after the last one and before the examination, and between two sets."""
    scheduled = replace(order(tmp_path).config, drop_rate_schedule="linear_up")  # each epoch has a rate of its own
    whole = list(reports(order(tmp_path / "whole", config=scheduled)))
    assert len(exact(whole)) == 4
    for point in range(1, 9):  # in each repeat two epochs and two sets
        folder = tmp_path / str(point)
        begun = list(reports(order(folder, config=scheduled), leave_after=point))
        assert isinstance(begun[-1], Stopped)
        resumed = list(reports(order(folder, token=2, config=scheduled)))
        assert exact(resumed) == exact(whole)
        assert figures(resumed) == figures(whole)
        again = [one for one in resumed if isinstance(one, Examining)]
        assert len(again) == 4 - len(examined(begun)), "what a checkpoint has is not examined again"


def test_a_set_has_its_own_random_numbers_whatever_else_is_examined(tmp_path: Path) -> None:
    alone = exact(list(reports(order(tmp_path / "alone", repeats=1))))
    more = Evaluation(passes=3, out_of_distribution=("shift", "far"), inputs=100)
    among = exact(list(reports(order(tmp_path / "among", repeats=1, evaluation=more))))
    assert [among[0], among[-1]] == alone


def test_a_seed_is_examined_alike_in_a_run_of_its_own(tmp_path: Path) -> None:
    _, *whole = exact(list(reports(order(tmp_path / "both"))))
    alone = exact(list(reports(order(tmp_path / "alone", first_seed=6, repeats=1))))
    second = [one for one in whole if one[1] == 1]
    assert [one[2:] for one in alone] == [one[2:] for one in second]
    assert len(alone) == 2


def test_a_checkpoint_without_evaluation_has_the_fingerprint_that_it_always_had(tmp_path: Path) -> None:
    of = order(tmp_path, evaluation=None)
    task = load_task(of.task, of.data_folder)
    before = fingerprint_of(of, task, CPU).ordered
    earlier = repr((FORMAT, of.task, of.config, of.study_seed, of.first_seed, of.repeats, of.tested_by))
    assert before == hashlib.sha256(earlier.encode()).hexdigest()
    assert fingerprint_of(replace(of, evaluation=EVALUATION), task, CPU).ordered != before


@pytest.mark.parametrize(
    ("task", "sets", "message"),
    [
        ("Classes", ("nowhere",), "offers no inputs out of distribution, got 'nowhere'"),
        (
            "Renamed",
            ("far",),
            "must call its sets far or far_ and more letters, digits and _, each otherwise, got 'strange'",
        ),
        ("Numbers", (), "are unknown: say in its property `outputs` what they are"),
    ],
)
def test_what_cannot_be_examined_is_refused_before_the_training(
    task: str, sets: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    spec = TaskSpec(name=f"tests.workers.examined_tasks:{task}", epochs=1)
    of = order(tmp_path, task=spec, evaluation=Evaluation(out_of_distribution=sets))
    for run in (of, replace(of, tested_by=None)):  # in the search too, whose runs are not examined
        with pytest.raises(ValueError, match=message):
            next(reports(run))


def test_a_search_is_not_examined(tmp_path: Path) -> None:
    searched = [list(reports(order(tmp_path, tested_by=None, evaluation=wanted))) for wanted in (EVALUATION, None)]
    assert figures(searched[0]) == figures(searched[1])
    assert not examined(searched[0])


def test_the_figures_are_those_of_the_passes(tmp_path: Path) -> None:
    """Against the outputs of the passes themselves, for a model that draws none: Masksembles' four masks."""
    of = order(tmp_path, regularizer="masksembles", repeats=1, evaluation=Evaluation(inputs=200))
    found = examined(list(reports(of)))[0].examination
    log_p = torch.from_numpy(found.scores["log_probabilities"]).double()
    alone = uncertainty_of(log_p.unsqueeze(0), "softmax")
    assert found.figures["total"] == pytest.approx(alone.total.mean().item(), rel=1e-5)
    assert 0.0 < found.figures["plug_in"] < found.figures["total"]
    assert found.figures["aleatoric"] == pytest.approx(found.figures["total"] - found.figures["plug_in"])
    assert not math.isnan(found.figures["joint_nll"])
