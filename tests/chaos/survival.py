"""One run of the schedule against the real fleet, from the first worker to the audit."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import sqlalchemy as sa

from service.client import Unreachable
from service.ports import LOOPBACK
from service.storage.audit import Finding, audit
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.studies import studies, trials
from tests.chaos import ordered, own_loop, uninterrupted
from tests.chaos.confirmations import unconfirmed
from tests.chaos.controller import Controller, Customer
from tests.chaos.database import Server
from tests.chaos.definitions import MISBEHAVING, RETRIES, definitions, poison
from tests.chaos.disk import Disk
from tests.chaos.extending import Extenders
from tests.chaos.fleet import ROOT, Exit, Fleet, Place
from tests.chaos.ground import ground
from tests.chaos.injection import Injected, Injector, asker_of, general, of_askers, particular, treacherous
from tests.chaos.observer import Cost, Observer
from tests.chaos.own_loop import ASKERS
from tests.chaos.proxy import Network
from tests.chaos.retrying import Retrier
from tests.chaos.schedule import LEASE_S, MISBEHAVIOUR, NETWORK, OF_ASKERS, Fault, Kind
from tests.chaos.weights import weights_of

AHEAD = 3  # open runs for every worker
SETTLE_S = 600.0  # for what is open at the end of the schedule
EVERYWHERE = (
    *(Kind.CRASH_DATABASE, Kind.FREEZE_DATABASE, Kind.FILL_DISK),
    *(Kind.REFUSE_ONCE, Kind.READ_ONLY),
)
ELSEWHERE = (Kind.RESTART_CONTROLLER, Kind.RESTORE_DUMP, *MISBEHAVIOUR)


@dataclass
class Survival:
    """What the schedule left behind."""

    seconds: float
    studies: list[str]
    costs: list[tuple[Injected, Cost]]
    counts: dict[str, int]  # runs by state
    failures: list[str]  # of runs, with their reasons
    takeovers: int
    handed_back: int
    confirmations: int
    extended: int  # confirmations that were extended
    own: int  # runs of own loops
    own_moved: int  # of these with more than one holder
    retried: int  # orders that had failed runs tried again
    moved: int  # runs of confirmations with more than one holder
    unconfirmed: list[str]  # what the confirmations lack, or have too much
    unfinished: list[str]  # studies
    findings: list[Finding]
    resumed: int  # complete runs with more than one holder
    compared: int
    different: list[str]
    repeated: int  # searches with a lag
    unlike: list[str]  # those of them that an undisturbed worker did not repeat
    exits: list[Exit]
    farewells: list[int]
    broken: list[str]  # faults that could not be made
    surprises: list[str] = field(default_factory=list)
    checkpoints_left: list[str] = field(default_factory=list)
    weights: int = 0  # files that the database names
    weights_wrong: list[str] = field(default_factory=list)


def survive(faults: list[Fault], seed: int, workers: int) -> Survival:
    """Train studies on `workers` workers while `faults` happen, then wait for the rest, count and compare."""
    started = time.monotonic()
    with ground() as folder, Server(folder / "postgres") as server, Network(server.port, workers) as network:
        clocks = [folder / f"clock-{number}" for number in range(workers)]
        places = [_place(folder, server.through(network.port(n)), clock) for n, clock in enumerate(clocks)]
        submitted = chain([poison(seed)], definitions(seed))
        with (
            Disk(folder / "checkpoints") as disk,
            Controller(server.url, folder) as controller,
            Observer(server.url) as observer,
            Fleet(places) as fleet,
            Network(controller.port, ASKERS) as to_controller,
        ):
            controller.wait_until_ready()
            own = own_loop.definitions(seed, RETRIES)
            asking = [_asking(folder, to_controller.port(number), number) for number in range(ASKERS)]
            with (
                Customer(controller.url, submitted, AHEAD * workers) as customer,
                Customer(controller.url, own, AHEAD * ASKERS, own=True) as own_customer,
                Extenders(controller.url) as extenders,
                Retrier(controller.url, folder) as retrier,
                Fleet(asking) as askers,
            ):

                def struck(fault: Fault) -> list[int]:
                    if fault.kind in EVERYWHERE or (fault.kind in NETWORK and fault.worker is None):
                        return observer.in_training()
                    if fault.kind in OF_ASKERS:
                        return observer.in_training(askers.pids(asker_of(fault)))
                    if fault.kind in ELSEWHERE or fault.worker is None:
                        return []
                    return observer.in_training(fleet.pids(fault.worker))

                _until_all_train(observer, workers)
                acts = {
                    **general(fleet, network, server),
                    **particular(controller, disk, clocks),
                    **treacherous(fleet, server, disk, observer),
                    **of_askers(askers, to_controller),
                }
                injector = Injector(acts, struck)
                injector.run(faults)
                customer.end()
                own_customer.end()
                _wait_for_the_rest([customer, own_customer], extenders, retrier)
                farewells = askers.dismiss()
            farewells += fleet.dismiss()
            left = [name for name in disk.left() if name != "filler"]
        with Database.open(server.url) as db:
            counted, findings = _counted(db), audit(db)
            compared = _compared(db, folder)
            repeated, unlike = ordered.repeated(db, folder)
            weights, weights_wrong = weights_of(db, folder / "artifacts")
            return Survival(
                seconds=time.monotonic() - started,
                studies=customer.submitted + own_customer.submitted,
                costs=[(one, _cost(one, injector, observer)) for one in injector.injected],
                findings=findings,
                unconfirmed=unconfirmed(db),
                extended=len(extenders.given),
                exits=fleet.exits + askers.exits,
                farewells=farewells,
                broken=injector.broken,
                surprises=[
                    *(customer.surprises + own_customer.surprises),
                    *(extenders.surprises + retrier.surprises),
                ],
                retried=len(retrier.given),
                checkpoints_left=left,
                weights=weights,
                weights_wrong=weights_wrong,
                repeated=repeated,
                unlike=unlike,
                **counted,
                **compared,
            )


def _place(folder: Path, url: str, clock: Path) -> Place:
    clock.write_text("0")
    command = (
        *(sys.executable, "-m", "workers", "--device", "cpu", "--lease", str(LEASE_S), "--poll", "0.2"),
        *("--checkpoints", str(folder / "checkpoints"), "--checkpoint-every", "0.2", "--grace", "15"),
    )
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "PERNODEDROP_HOME": str(folder),
        "PYTHONPATH": f"{ROOT / 'tests' / 'chaos' / 'clock'}:{ROOT}",
        "CHAOS_CLOCK": str(clock),
        "OMP_NUM_THREADS": "1",
    }
    return Place(command, environment, folder / f"{clock.name.replace('clock', 'worker')}.log")


def _until_all_train(observer: Observer, workers: int) -> None:
    deadline = time.monotonic() + SETTLE_S
    while len(observer.in_training()) < workers:
        assert time.monotonic() < deadline, "the workers do not come up"
        time.sleep(0.2)


def _asking(folder: Path, port: int, number: int) -> Place:
    command = (sys.executable, "-m", "tests.chaos.asker", f"http://{LOOPBACK}:{port}", str(folder))
    return Place(command, os.environ, folder / f"asker-{number}.log")


def _wait_for_the_rest(customers: list[Customer], extenders: Extenders, retrier: Retrier) -> None:
    def is_served() -> bool:
        return all(customer.is_served() for customer in customers)

    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        try:
            # What is tried again after the first look is seen by the second.
            if is_served() and extenders.is_done() and retrier.is_done() and is_served():
                return
        except Unreachable:
            pass
        time.sleep(0.5)


def _cost(injected: Injected, injector: Injector, observer: Observer) -> Cost:
    if injected.fault.kind is Kind.RESTART_CONTROLLER:
        return Cost(1, 0, injector.lasted.get(injected.fault))
    return observer.cost(injected.runs, injected.at)


def _counted(db: Database) -> dict[str, object]:
    steps = """
        SELECT count(*) FILTER (WHERE was = 'running' AND state = 'running') AS takeovers,
            count(*) FILTER (WHERE was = 'running' AND state = 'waiting') AS handed_back
        FROM (SELECT state, lag(state) OVER (PARTITION BY run_id ORDER BY id) AS was FROM fleet.run_history) h
    """
    confirmed = """
        SELECT count(*) AS runs, count(*) FILTER (WHERE token > 1) AS moved FROM fleet.runs WHERE stage = 'confirmation'
    """
    own = """
        SELECT count(*) AS runs, count(*) FILTER (WHERE r.token > 1) AS moved
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE s.definition->'task'->>'name' = 'external' AND r.state <> 'waiting'
    """
    failed = """
        SELECT s.name, r.id, r.attempts, r.reason FROM fleet.runs r
        JOIN fleet.studies s ON s.id = r.study_id WHERE r.state IN ('failed', 'cancelled') ORDER BY r.id
    """
    with db.engine.connect() as connection:
        moves = connection.execute(sa.text(steps)).one()
        confirmations = connection.execute(sa.text(confirmed)).one()
        of_own = connection.execute(sa.text(own)).one()
        states = connection.execute(sa.text("SELECT state, count(*) AS runs FROM fleet.runs GROUP BY state"))
        return {
            "counts": {row.state: row.runs for row in states},
            "failures": [" ".join(map(str, row)) for row in connection.execute(sa.text(failed))],
            "takeovers": moves.takeovers,
            "handed_back": moves.handed_back,
            "confirmations": confirmations.runs,
            "moved": confirmations.moved,
            "own": of_own.runs,
            "own_moved": of_own.moved,
            "unfinished": list(
                connection.execute(sa.text("SELECT name FROM fleet.studies WHERE finished_at IS NULL")).scalars()
            ),
        }


def _compared(db: Database, folder: Path) -> dict[str, object]:
    """Train every complete run of the innocent studies again."""
    innocent = [(study, trial) for study, trial in _complete(db) if not study.name.startswith(MISBEHAVING)]
    different = [
        f"{study.name} run {trial.run_id}"
        for study, trial in innocent
        if uninterrupted.stored(db, trial) != uninterrupted.trained(study, trial, folder)
    ]
    resumed = sum("resumed_after_epoch" in trial.facts for _, trial in innocent)
    return {"resumed": resumed, "compared": len(innocent), "different": different}


def _complete(db: Database) -> Iterator[tuple[StudyRecord, TrialRecord]]:
    for study in studies.page(db, limit=1000):
        for trial in trials.page(db, study, limit=1000):
            if trial.state == "complete":
                yield study, trial
