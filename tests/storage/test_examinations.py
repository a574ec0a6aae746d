"""The examinations of a confirmation: written under a lease, read by study, removed with the run."""

import json
import math
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
import sqlalchemy as sa

from service.storage import scores
from service.storage.database.database import Database
from service.storage.errors import LeaseLost
from service.storage.runs import holding, removal
from service.storage.studies import examinations, studies
from tests.storage.conftest import make_definition
from tests.storage.examined import examination
from tests.storage.queueing import claimed, pass_time


def test_an_examination_comes_back_as_it_was_written_in_order(db: Database) -> None:
    study = studies.create(db, make_definition("s"))
    lease = claimed(db)
    for repeat, inputs in ((1, "test"), (0, "test"), (0, "held_out")):
        holding.record_examination(db, lease, examination(lease, repeat, inputs))
    holding.record_examination(db, lease, examination(lease, 1, "test", figures={"size": 5.0}))
    found = examinations.of_study(db, study.id)
    assert [(one.repeat, one.inputs) for one in found] == [(0, "held_out"), (0, "test"), (1, "test")]
    first, written = found[0], examination(lease, 0, "held_out")
    assert (first.kind, first.level, first.passes, first.epoch, first.outputs) == ("semantic", 0, 20, 2, "softmax")
    assert first.figures.keys() == written.figures.keys()
    assert first.figures["epistemic"] == 0.1
    assert math.isnan(first.figures["loss"])
    assert first.scores.keys() == written.scores.keys()
    for name, array in written.scores.items():
        assert first.scores[name].dtype == np.float32
        np.testing.assert_array_equal(first.scores[name], array)
    assert found[2].figures == {"size": 5.0}, "a second record of the same replaces the first"
    assert examinations.count(db, study.id) == 3
    (second,) = examinations.page(db, study.id, 1, 1)
    assert (second.inputs, second.scores) == ("test", {})


def test_a_stale_holder_and_another_runs_examination_are_refused(db: Database) -> None:
    study = studies.create(db, make_definition("s", retries=3))
    stale = claimed(db)
    holding.record_examination(db, stale, examination(stale))
    pass_time(db, 600)
    present = claimed(db)
    assert present.run_id == stale.run_id
    with pytest.raises(LeaseLost):
        holding.record_examination(db, stale, examination(stale, figures={}))
    with pytest.raises(ValueError, match="does not belong"):
        holding.record_examination(db, present, examination(present, run_id=present.run_id + 1))
    assert [one.figures["size"] for one in examinations.of_study(db, study.id)] == [4.0]


def test_examinations_go_with_their_training_and_their_study(db: Database) -> None:
    study = studies.create(db, make_definition("s"))
    lease = claimed(db)
    holding.record_examination(db, lease, examination(lease))
    holding.attach(db, lease, None, None)
    assert examinations.of_study(db, study.id) == [], "training starts anew"
    holding.record_examination(db, lease, examination(lease))
    studies.delete(db, "s")
    assert not removal.remove(db, 5.0)
    with db.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM fleet.examinations")).scalar_one() == 0


def bytes_of(shapes: object, numbers: int) -> bytes:
    return scores.MAGIC + zlib.compress(json.dumps(shapes).encode() + b"\n" + bytes(4 * numbers))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        scores.MAGIC,
        scores.MAGIC + b"x",
        bytes_of({"a": [4]}, 4)[:-6],
        bytes_of({"a": [4]}, 4) + b"more",
        bytes_of({"a": [4]}, 3),
        bytes_of({"a": [2**20, 2**20]}, 1),
        bytes_of({"a": [-1]}, 1),
        bytes_of({"a": [True]}, 1),
        bytes_of({"a": [1, 1, 1]}, 1),
        bytes_of({"A/b": [1]}, 1),
        bytes_of([1], 1),
        bytes_of({}, 0),
        scores.MAGIC + zlib.compress(b"[" * 2**12),
        bytes_of({"a": [1]}, scores.MOST_NUMBERS + 2**12),  # a stream that grows beyond what is read
    ],
)
def test_bytes_of_another_layout_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"scores|Expecting"):
        scores.unpacked(data)


@pytest.mark.parametrize("wrong", [{}, {"a": np.zeros((1, 1, 1))}, {"a b": np.zeros(1)}, {"a": np.zeros(2**20 + 1)}])
def test_what_could_not_be_read_is_not_written(wrong: Mapping[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="scores"):
        scores.packed(wrong)
