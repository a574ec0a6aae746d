"""A run with everything that can go wrong: HTML and controls in its logs, a lost value, two attempts, three seeds."""

import math
from collections.abc import Iterator

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint, Log, StudyRecord
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data

EPOCHS = 30
HOSTILE = "<script>alert('log')</script><img src=x onerror=alert(1)> \x1b[2J \u202e"
LINES = 300  # of standard output, of which the page shows the last
PROVENANCE = {"packages": {"torch": "2.13.0"}, "code": {"task": "3fa1c2d4e5f6" * 5, "commit": "9b1c2d dirty"}}
PARAMS = {"regularizer": "pernodedrop", "stir_type": "gaussian", "drop_rate": 0.3, "units": 64}


def failed_twice(database: Database, name: str = "hard") -> StudyRecord:
    """A study whose first trial was handed back once and has then failed; a second one is in training."""
    task = {"name": "digits", "epochs": EPOCHS}
    study = studies.create(database, parse_definition(definition_data(name, 3, repeats=3, task=task)))
    first = claiming.claim(database, workers.register(database, "node-1", 11, "cuda:0"), 600)
    assert first is not None
    holding.attach(database, first, None, 0, PARAMS)
    holding.hand_back(database, first, log=Log("begun\n", HOSTILE, (6, 90)))
    second = claiming.claim(database, workers.register(database, "<b>node</b>", 12, "cuda:1"), 600)
    assert second is not None
    holding.attach(database, second, None, 0, PARAMS)
    facts = {"backend": "kernel", "device": "<i>cuda</i>", "parameters": 9098, "peak_bytes": 1.2e9}
    holding.note_facts(database, second, facts, PROVENANCE)
    for epoch in range(1, EPOCHS + 1):
        holding.record_epoch(database, second, epoch, list(_points(epoch)))
    text = "".join(f"line {number} {HOSTILE}\n" for number in range(LINES))
    log = Log(
        text, "a warning\n", (len(text) + 5000, 10), f"Traceback (most recent call last):\nValueError: {HOSTILE}\n"
    )
    reason = "<b>training loss</b> became nan"
    holding.finish(database, second, RunState.FAILED, reason=reason, log=log, tell=lambda: None)
    third = claiming.claim(database, workers.register(database, "node-3", 13, "cpu"), 600)
    assert third is not None
    holding.attach(database, third, None, 1, PARAMS)
    holding.record_epoch(database, third, 1, list(_points(1)))
    return studies.get(database, study.name)


def _points(epoch: int) -> Iterator[CurvePoint]:
    for seed in range(3):
        fallen = 10 ** (2 - epoch / 6) + 0.1 * seed
        yield CurvePoint(epoch, seed, "train", "loss", math.nan if seed == 2 and epoch > 20 else fallen)
        yield CurvePoint(epoch, seed, "val", "loss", math.inf if seed == 2 and epoch == 25 else 1.3 * fallen)
        yield CurvePoint(epoch, seed, "test", "loss", 1.5 * fallen)
        yield CurvePoint(epoch, seed, "val", "accuracy", 1 / (1 + fallen))
        yield CurvePoint(epoch, seed, "train", "seconds", 1.5)
        yield CurvePoint(epoch, seed, "train", "peak_bytes", 1.2e9)
