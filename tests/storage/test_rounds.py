"""A confirmation until it is decided: its rounds, looks and verdicts, on the real queue."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from search_spaces import Confirmation
from service.storage.audit import Finding, findings
from service.storage.database.database import Database
from service.storage.errors import NotConfirmable
from service.storage.fleet import workers
from service.storage.records import CurvePoint, StudyRecord, TrialRecord
from service.storage.runs import claiming, confirmation, holding
from service.storage.runs.configurations import configuration_key
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies, trials
from tests.storage.queueing import execute, nothing
from tests.storage.test_confirmation import MAXIMIZE, dropconnect, dropout, end, searched

DECIDED = {"top": 1, "repeats": 3, "until": "decided", "most_repeats": 6}
FOUND = [dropout(0.1, 0.2), dropconnect(0.2, 0.4)]

OF_THE_SEARCH = {
    "a run goes a legal path",
    "an ended run is one Optuna trial in the same state",
    "curves have every epoch, and none beyond",
    "a value is the mean over repeats of the best epoch's",
}

SEEDS = "a run of a confirmation has seeds, and one of the search none"
ONCE = "a configuration is confirmed under each seed once, and none is left out"
DROPPED = "no configuration that a look has dropped gets further seeds"
VERDICT = "a verdict stands on its last look"
PLANTED = [
    (SEEDS, "UPDATE fleet.runs SET seeds = NULL WHERE stage = 'confirmation'"),
    (SEEDS, "UPDATE fleet.runs SET first_seed = 0 WHERE stage = 'search'"),
    (ONCE, "UPDATE fleet.runs SET first_seed = 5 WHERE first_seed = 4"),
    (ONCE, "UPDATE fleet.runs SET first_seed = first_seed + 1 WHERE stage = 'confirmation'"),
    (ONCE, "UPDATE fleet.runs SET seeds = 2 WHERE seeds = 3"),
    (DROPPED, "UPDATE fleet.looks SET kept = kept[1:1] WHERE seeds = 4"),
    (VERDICT, "UPDATE fleet.studies SET decision = NULL"),
    (VERDICT, 'UPDATE fleet.studies SET decision = decision || \'{"outcome": "winner"}\''),
    (VERDICT, "UPDATE fleet.studies SET decision = decision || '{\"recommended\": null}'"),
    (VERDICT, "UPDATE fleet.looks SET kept = kept[1:1] WHERE seeds = 6"),
    (VERDICT, "DELETE FROM fleet.runs WHERE first_seed = 6"),
    ("curves have every epoch, and none beyond", "UPDATE fleet.runs SET seeds = 2 WHERE seeds = 1"),
]

Figure = Callable[[str, int], float]  # of a variant under a seed


def level(seed: int) -> float:
    """What all configurations have in common under a seed."""
    return (7 * seed % 5) / 100


def alike(variant: str, seed: int) -> float:
    """No difference that any look would find certain."""
    return level(seed) + (3 * seed % 4 - 1.5) * (0.01 if variant == "dropout" else -0.01)


def apart(variant: str, seed: int) -> float:
    """Dropconnect is better by 1 under every seed, and a little more under some."""
    return level(seed) + (1 + seed % 3 / 100) * (variant == "dropout")


def train(
    db: Database, study: StudyRecord, figure: Figure, fails: Collection[tuple[str, int]] = (), metric: str = "loss"
) -> None:
    """Train every run that comes, two epochs a seed, of which the first is the best by validation; a figure is that of
    the test split. The runs that train one of the variants and seeds in `fails` fail."""
    worker = workers.register(db, "here", 1, "cpu")
    sign = -1 if study.definition.objectives[0].maximizes else 1
    while lease := claiming.claim(db, worker, 60):
        assert lease.first_seed is not None
        assert lease.seeds is not None
        holding.attach(db, lease, None, None)
        variant = str((lease.params or {})["regularizer"])
        seeds = range(lease.first_seed, lease.first_seed + lease.seeds)
        figures = [figure(variant, seed) for seed in seeds]
        for repeat, value in enumerate(figures):
            points = [CurvePoint(epoch, repeat, "val", metric, float(sign * epoch)) for epoch in (1, 2, 3)]
            points += [CurvePoint(e, repeat, "train", "seconds", 1.0 + (variant == "dropout")) for e in (1, 2, 3)]
            points.append(CurvePoint(1, repeat, "test", metric, value))
            holding.record_epoch(db, lease, 3 * repeat + 3, points)
        is_failing = any((variant, seed) in fails for seed in seeds)
        state = RunState.FAILED if is_failing else RunState.COMPLETE
        values = None if is_failing else [sum(figures) / len(figures)]
        holding.finish(db, lease, state, best_epoch=1, values=values, tell=nothing)


def seeds_of(db: Database, study: StudyRecord) -> dict[str, list[tuple[int | None, int | None]]]:
    """First seed and number of seeds of every run, by variant, in the order of the queue."""
    found: dict[str, list[tuple[int | None, int | None]]] = {}
    for run in trials.confirming(db, study):
        found.setdefault(run.variant, []).append((run.first_seed, run.seeds))
    return found


def first_of(db: Database, study: StudyRecord, variant: str) -> TrialRecord:
    return next(run for run in trials.confirming(db, study) if run.variant == variant)


def broken(db: Database) -> list[Finding]:
    """What breaks a rule, but for those of the search, which was not trained."""
    with db.engine.connect() as connection:
        return [finding for finding in findings(connection) if finding.rule not in OF_THE_SEARCH]


def test_those_that_are_left_get_seeds_until_no_more_are_allowed(db: Database) -> None:
    study = searched(db, FOUND, confirmation=DECIDED)
    close_finished_studies(db)
    assert seeds_of(db, study) == {"dropout": [(1, 3)], "dropconnect": [(1, 3)]}
    train(db, study, alike)
    now = studies.get(db, "found")
    later = [(1, 3), (4, 1), (5, 1), (6, 1)]
    assert seeds_of(db, study) == {"dropout": later, "dropconnect": later}
    assert now.looks == ((3, "sequential"), (4, "sequential"), (6, "sequential"))
    first = {variant: first_of(db, study, variant).run_id for variant in ("dropout", "dropconnect")}
    best = min(first, key=lambda variant: sum(alike(variant, seed) for seed in range(1, 7)))
    assert now.decision is not None
    assert now.decision["outcome"] == "undecided"
    assert now.decision["seeds"] == 6
    assert now.decision["recommended"] == first[best]
    assert sorted(now.decision["left"]) == sorted(first.values())
    assert now.winner == first_of(db, study, best)
    assert broken(db) == []
    for rule, statement in PLANTED:
        with db.engine.connect() as connection:
            connection.execute(sa.text(statement))
            assert rule in {finding.rule for finding in findings(connection)}, statement
            connection.rollback()


def test_an_undecided_one_is_extended_once_by_several_at_once(db: Database) -> None:
    study = searched(db, FOUND, confirmation=DECIDED)
    close_finished_studies(db)
    train(db, study, alike)

    def extend(_: int) -> str | None:
        try:
            extension.confirm(db, "found", Confirmation(most_repeats=8))
        except NotConfirmable as error:
            return str(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(extend, range(4)))
    assert sorted(answer is None for answer in answers) == [False, False, False, True]
    assert {answer for answer in answers if answer} == {
        "study 'found' cannot be confirmed: its runs are under way, and nothing would be added to them: ask for a "
        "larger top, for more repeats, or for until: decided"
    }
    now = studies.get(db, "found")
    assert (now.state, now.decision, now.confirmation["waiting"]) == (StudyState.RUNNING, None, 4)
    train(db, study, lambda variant, seed: alike(variant, seed) if seed < 7 else 50 * apart(variant, seed))
    now = studies.get(db, "found")
    assert now.looks[-1] == (8, "sequential")
    with pytest.raises(NotConfirmable, match=r"8 seeds are trained: most_repeats must be at least 8, got 7"):
        extension.confirm(db, "found", Confirmation(most_repeats=7))
    with pytest.raises(NotConfirmable, match=r"its verdict is undecided after 8 seeds, .*: ask for a larger most_rep"):
        extension.confirm(db, "found", Confirmation(most_repeats=8))
    # A larger zone of indifference is a new verdict, and nothing is trained for it.
    now = extension.confirm(db, "found", Confirmation(indifference=1e6))
    assert (now.state, now.decision and now.decision["outcome"]) == (StudyState.COMPLETE, "practically equal")
    assert now.winner == first_of(db, study, "dropconnect")  # the cheapest
    assert extension.confirm(db, "found", Confirmation(prefer="dropout")).winner == first_of(db, study, "dropout")
    assert broken(db) == []


def test_who_is_certainly_worse_gets_no_further_seed(db: Database) -> None:
    found = [*FOUND, dropout(0.3, 0.9), dropconnect(0.4, 0.8)]
    study = searched(db, found, confirmation={**DECIDED, "repeats": 5, "most_repeats": 30}, objectives=MAXIMIZE)
    close_finished_studies(db)
    train(db, study, apart, metric="accuracy")
    now = studies.get(db, "found")
    assert now.looks == ((5, "sequential"),)
    assert now.winner == first_of(db, study, "dropout")  # more is better here
    assert now.decision is not None
    assert (now.decision["outcome"], now.decision["left"]) == ("winner", [now.winner.run_id])
    assert {len(runs) for runs in seeds_of(db, study).values()} == {1}
    # More trials that are no better change nothing; the verdict is the same again.
    extension.extend(db, "found", 1)
    assert (studies.get(db, "found").decision, studies.get(db, "found").winner) == (None, None)
    end(db, study, [dropout(0.5, 0.1)])
    close_finished_studies(db)
    assert studies.get(db, "found").decision == now.decision
    # A further configuration joins, with the seeds up to the next look; that the other was dropped stays.
    extension.confirm(db, "found", Confirmation(top=2))
    waiting = [run for run in trials.confirming(db, study) if run.state is RunState.WAITING]
    assert sorted((run.params["drop_rate"], run.first_seed, run.seeds) for run in waiting) == [
        (0.1, 1, 5), (0.1, 6, 1), (0.1, 7, 1), (0.2, 1, 5), (0.2, 6, 1), (0.2, 7, 1), (0.3, 6, 1), (0.3, 7, 1)
    ]  # fmt: skip
    assert broken(db) == []


def test_a_configuration_whose_run_fails_is_out(db: Database) -> None:
    study = searched(db, FOUND, confirmation=DECIDED)
    close_finished_studies(db)
    train(db, study, alike, fails=[("dropout", 4)])
    now = studies.get(db, "found")
    assert now.looks == ((3, "sequential"), (4, "sequential"))
    assert now.decision is not None
    assert (now.decision["outcome"], now.winner) == ("winner", first_of(db, study, "dropconnect"))
    studies.delete(db, "found")
    study = searched(db, FOUND, confirmation=DECIDED)
    close_finished_studies(db)
    train(db, study, alike, fails=[("dropout", 2), ("dropconnect", 3)])
    now = studies.get(db, "found")
    assert (now.state, now.looks, now.decision, now.winner) == (StudyState.COMPLETE, (), None, None)


def test_several_callers_look_once_and_one_that_dies_never_looked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = searched(db, FOUND, confirmation=DECIDED)
    close_finished_studies(db)
    with monkeypatch.context() as patch:
        patch.setattr(holding, "close_finished_studies", lambda *_: None)
        train(db, study, alike)
    with pytest.raises(ConnectionError), db.engine.begin() as connection:
        assert confirmation.schedule(connection, study.id) == 2
        raise ConnectionError
    assert studies.get(db, "found").looks == ()

    def schedule(_: int) -> int:
        with db.engine.begin() as connection:
            return confirmation.schedule(connection, study.id)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(schedule, range(4))) == [0, 0, 0, 2]
    assert studies.get(db, "found").looks == ((3, "sequential"),)


def test_a_fixed_one_of_an_earlier_release_gets_more_seeds_and_is_decided_later(db: Database) -> None:
    study = searched(db, FOUND, confirmation={"top": 1, "repeats": 3})
    execute(db, """UPDATE fleet.studies SET definition = jsonb_set(definition, '{confirmation}', '{"repeats": 3}')""")
    close_finished_studies(db)
    train(db, study, alike)
    now = studies.get(db, "found")
    assert (now.looks, now.decision) == ((), None)  # as ever
    extension.confirm(db, "found", Confirmation(repeats=5))
    train(db, study, lambda variant, seed: apart(variant, seed) * 100)
    now = studies.get(db, "found")
    later = [(1, 3), (4, 1), (5, 1)]
    assert seeds_of(db, study) == {"dropout": later, "dropconnect": later}
    assert (now.looks, now.decision, now.winner) == (((3, "fixed"),), None, first_of(db, study, "dropconnect"))
    extension.confirm(db, "found", Confirmation(until="decided", most_repeats=7))
    train(db, study, lambda variant, seed: apart(variant, seed) * 100)
    now = studies.get(db, "found")
    assert now.looks == ((3, "fixed"), (5, "sequential"), (7, "sequential"))
    assert now.decision is not None
    assert now.decision["outcome"] == "undecided"
    with pytest.raises(NotConfirmable, match="it goes on until it is decided, and its looks have been made"):
        extension.confirm(db, "found", Confirmation(until="fixed"))
    assert broken(db) == []


def test_a_fixed_one_that_was_clear_is_decided_without_a_further_run(db: Database) -> None:
    study = searched(db, FOUND, confirmation={"top": 1, "repeats": 3})
    close_finished_studies(db)
    train(db, study, apart)
    now = extension.confirm(db, "found", Confirmation(until="decided"))
    assert (now.state, now.looks, now.winner) == (
        StudyState.COMPLETE,
        ((3, "fixed"),),
        first_of(db, study, "dropconnect"),
    )
    assert now.decision is not None
    assert (now.decision["outcome"], now.decision["seeds"]) == ("winner", 3)
    with pytest.raises(NotConfirmable, match=r"its verdict is winner after 3 seeds, .*: ask for a larger top"):
        extension.confirm(db, "found", Confirmation(most_repeats=40))


def test_equal_parameters_have_one_key_as_suggested_and_as_recorded(db: Database) -> None:
    study = searched(db, [dropout(0.30000000000000004, 0.2)])
    close_finished_studies(db)
    key = configuration_key(study.definition, {"regularizer": "dropout", "drop_rate": 0.30000000000000004})
    assert configuration_key(study.definition, first_of(db, study, "dropout").params) == key
