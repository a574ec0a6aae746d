"""Examinations by real workers, whatever dies meanwhile, and what a trial may say of them."""

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import sqlalchemy as sa

from search_spaces import Evaluation, Objective, StudyDefinition, TrialConfig, recorded_params
from service.storage import scores
from service.storage.assignments.assignment import Ended
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.progress import EpochDone, Progress
from service.storage.audit import audit, findings
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Examination, StudyRecord
from service.storage.runs import claiming
from service.storage.states import RunState, Stage
from service.storage.studies import curves, examinations, studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until
from tests.workers.examining import exact, order, reports
from tests.workers.test_checkpoints import figures
from workers.runs.execution import Execution
from workers.runs.expected import Expected
from workers.runs.lease import Renewal
from workers.trial import channel
from workers.trial.channel import Message
from workers.trial.examined import heard, told
from workers.trial.messages import Examined, Finished, Order, Report, Stopped, packed, unpacked

EVALUATION = {"passes": 2, "out_of_distribution": ["shift", "far"], "inputs": 100}


def examined_study(name: str, seconds: float = 0.0) -> StudyDefinition:
    definition = own_study(
        name,
        search_space={"regularizer": {"type": "categorical", "choices": ["pernodedrop"]}},
        fixed={"learning_rate": 0.02, "batch_size": 16},
        confirmation={"repeats": 2},
        evaluation=EVALUATION,
    )
    options = {"set_seconds": seconds}
    task = definition.task.model_copy(update={"name": "tests.workers.examined_tasks:Classes", "options": options})
    return definition.model_copy(update={"task": task})


def recorded(db: Database, study: StudyRecord, repeat: int) -> list[str]:
    return [one.inputs for one in examinations.of_study(db, study.id) if one.repeat == repeat]


@pytest.mark.wide
def test_examinations_survive_the_death_of_the_trial_and_of_the_worker(
    db: Database, start_lone_worker: StartWorker, tmp_path: Path
) -> None:
    study = studies.create(db, examined_study("survives", seconds=0.5))
    first = start_lone_worker("--lease", "2", "--checkpoint-every", "0.01")
    until(lambda: len(recorded(db, study, 0)) >= 3)  # the last set of the first repeat takes its time
    _trial_of(first.pid).kill()
    until(lambda: len(recorded(db, study, 1)) >= 1)
    first.send_signal(signal.SIGKILL)
    first.wait(60)
    start_lone_worker("--lease", "2", "--exit-when-idle")
    until(finished(db, "survives"))
    [run] = trials.page(db, study, stage=Stage.CONFIRMATION)
    assert (run.state, run.attempts) == (RunState.COMPLETE, 3)
    assert run.facts["resumed_after_epoch"] == 4
    assert audit(db) == []
    undisturbed = order(
        tmp_path,
        task=study.definition.task.model_copy(update={"options": {}}),
        config=TrialConfig.from_params(recorded_params(study.definition, run.params)),
        study_seed=study.definition.seed,
        first_seed=1,
        tested_by=Objective(metric="val_loss"),
        evaluation=study.definition.evaluation,
        run_id=run.run_id,
    )
    whole = list(reports(undisturbed))
    recorded_epochs = [(*key, _timeless(of)) for key, of in curves.epochs_of_run(db, run.run_id).items()]
    assert recorded_epochs == [(repeat, epoch, _timeless(of)) for repeat, epoch, of in figures(whole)]
    made = sorted(exact(whole), key=lambda one: (one[1], one[3]))
    stored = exact([Examined(one) for one in examinations.of_study(db, study.id)])
    assert [(one[1], one[3]) for one in stored] == [
        (repeat, name) for repeat in (0, 1) for name in ("far", "shift_1", "shift_2", "test")
    ]
    assert stored == made
    _audit_finds(db, "DELETE FROM fleet.examinations WHERE inputs = 'test' AND repeat = 1", "not examined on the test")
    _audit_finds(
        db, "DELETE FROM fleet.examinations WHERE inputs = 'shift_1' AND repeat = 1", "on 3 sets, another on 4"
    )
    _audit_finds(db, "UPDATE fleet.examinations SET epoch = 3 - epoch WHERE inputs = 'far'", "the best is")
    _audit_finds(db, "UPDATE fleet.examinations SET run_id = (SELECT min(id) FROM fleet.runs)", "in the search")
    without = "UPDATE fleet.studies SET definition = definition || '{\"evaluation\": null}'"
    _audit_finds(db, without, "in the confirmation")


def _trial_of(worker: int) -> psutil.Process:
    """The process that trains: the last one that was forked below the worker."""
    return max(psutil.Process(worker).children(recursive=True), key=lambda child: child.create_time())


def _timeless(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in sorted(metrics) if "seconds" not in name}


def _audit_finds(db: Database, damage: str, words: str) -> None:
    """Damage the database within a transaction that is rolled back."""
    with db.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(sa.text(damage))
        found = list(findings(connection))
        transaction.rollback()
    assert any(words in str(finding) for finding in found), found


@pytest.fixture
def examination() -> Examination:
    numbers = np.array([0.5, np.nan, 0.25], np.float32)
    return Examination(
        run_id=7, repeat=0, epoch=1, inputs="test", kind="test", level=0, passes=3, outputs="softmax",
        figures={"size": 3.0, "loss": float("nan")}, scores={"confidence": numbers, "nll": numbers},
    )  # fmt: skip


def on_the_line(examination: Examination, folder: Path) -> Message:
    message: Message = json.loads(json.dumps(packed(Examined(examination), order(folder))))
    return message


def test_an_examination_goes_over_the_line_as_it_is(examination: Examination, tmp_path: Path) -> None:
    received = unpacked(on_the_line(examination, tmp_path), order(tmp_path))
    assert isinstance(received, Examined)
    assert exact([received]) == exact([Examined(examination)])


def no(field: str, value: object) -> Callable[[dict[str, object]], None]:
    return lambda said: said.update({field: value})


@pytest.mark.parametrize(
    "spoil",
    [
        no("repeat", -1),
        no("repeat", True),
        no("repeat", 0.0),
        no("epoch", 0),
        no("epoch", 2**31),
        no("inputs", "../test"),
        no("inputs", "a" * 81),
        no("inputs", None),
        no("kind", "else"),
        no("level", 101),
        no("passes", 0),
        no("outputs", "squared"),
        no("figures", [1.0]),
        no("figures", {"a\0": 1.0}),
        no("figures", {"loss": "1"}),
        no("figures", {"loss": True}),
        no("figures", {"loss": float("inf")}),
        no("figures", {"loss": 10**400}),
        no("figures", {f"f{number}": 1.0 for number in range(300)}),
        no("scores", "no base64!"),
        no("scores", "gASVBAAAAAAAAABdlC4="),
        no("scores", None),
        lambda said: said.pop("scores"),
    ],
)
def test_what_is_no_examination_is_passed_over(
    spoil: Callable[[dict[str, object]], object], examination: Examination, tmp_path: Path
) -> None:
    message = on_the_line(examination, tmp_path)
    spoil(message["examination"])
    assert unpacked(message, order(tmp_path)) is None


def test_scores_of_different_inputs_and_infinite_ones_are_refused(examination: Examination) -> None:
    for wrong in (np.zeros(2, np.float32), np.array([0, 0, np.inf], np.float32)):
        scores = {**examination.scores, "nll": wrong}
        with pytest.raises(ValueError, match="scores must be"):
            heard(told(replace(examination, scores=scores)), 7)


def test_a_run_takes_what_was_ordered_and_is_not_complete_without_it(examination: Examination) -> None:
    progress = Progress([Objective(metric="val_loss")])
    progress.add(0, 1, {"val_loss": 1.0})
    expected = Expected(Evaluation(out_of_distribution=("far",)), repeats=1)
    assert expected.flaw == "repeat 1 ended without the examination of the test, far"
    far = replace(examination, inputs="far", kind="far")
    assert Expected(None, 1).refusal(far, progress) == "the trial sent an examination that was not ordered"
    assert expected.refusal(replace(far, inputs="near"), progress) == "the trial examined near, which was not ordered"
    assert expected.refusal(replace(far, kind="test"), progress) == "the trial examined far, which was not ordered"
    wrong_epoch = "the trial examined epoch 2 of repeat 1, whose best epoch is 1"
    assert expected.refusal(replace(far, epoch=2), progress) == wrong_epoch
    assert expected.refusal(replace(far, repeat=1), progress) is not None
    assert expected.refusal(far, progress) is None
    assert expected.flaw == "repeat 1 ended without the examination of the test"
    assert expected.refusal(examination, progress) is None
    assert expected.flaw is None
    more = (expected.refusal(replace(far, inputs=f"far_{number}"), progress) for number in range(20))
    assert "the trial examined more than 12 sets of repeat 1" in more
    assert Expected(None, 1).flaw is None


class _Says:
    """A trial process that says what it likes."""

    output = None

    def __init__(self, *reports: Report) -> None:
        self._reports = iter(reports)

    def order(self, order: Order) -> None:
        assert order.evaluation is not None

    def stop(self, *, keep: bool) -> None:
        self._reports = iter([Stopped()])

    def listen(self, seconds: float) -> Report | None:
        return next(self._reports)


def test_a_trial_that_sends_too_little_or_too_much_has_failed(
    db: Database, examination: Examination, tmp_path: Path
) -> None:
    study = studies.create(db, examined_study("odd"))
    lease = claiming.claim(db, workers.register(db, "here", 1, "cpu"), 60)
    assert lease is not None
    seeds: dict[str, Any] = {"first_seed": 1, "seeds": 2}
    confirming = replace(lease, stage=Stage.CONFIRMATION, params={"regularizer": "pernodedrop"}, **seeds)
    epochs = [EpochDone(repeat, epoch, {"val_loss": 1.0}) for repeat in (0, 1) for epoch in (1, 2)]
    test = replace(examination, run_id=lease.run_id)
    stray = replace(test, inputs="near", kind="far")
    for said, reason in (
        ((*epochs, Examined(test), Finished()), "repeat 1 ended without the examination of shift, far"),
        ((*epochs, Examined(test), Examined(stray)), "the trial examined near, which was not ordered"),
    ):
        with Renewal(db, "", confirming, 60) as renewal:
            execution = Execution(
                db,
                confirming,
                lambda _: assignment_of(db, confirming),
                renewal=renewal,
                leave_by=lambda: float("inf"),
                data_folder=tmp_path,
            )
            outcome = execution._train(_Says(*said), execution._begin())  # type: ignore[arg-type]
        assert outcome == Ended(RunState.FAILED, reason)
        assert [one.inputs for one in examinations.of_study(db, study.id)] == ["test"]


def test_the_most_that_may_be_said_fits_into_a_message(examination: Examination, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).standard_normal((scores.MOST_NUMBERS // 8, 8), np.float32)  # of no redundancy
    largest = packed(Examined(replace(examination, scores={"log_probabilities": numbers})), order(tmp_path))
    assert len(json.dumps(largest)) < channel._LONGEST / 2
