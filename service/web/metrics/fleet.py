"""The fleet as Prometheus reads it: the database is asked at a scrape, and not again for some seconds."""

import threading
import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.storage.database.database import Database
from service.storage.database.sqlstates import DATABASE_ERRORS
from service.storage.errors import StorageError
from service.storage.fleet.monitoring import KINDS, Happened, Standing, Watch, standing

KEPT_S = 5.0  # s for which all scrapers get what one of them has made the controller read


class FleetCollector(Collector):
    """Collects what `service.storage.fleet.monitoring` reads; it needs a connection of `database` to itself.

    While the database does not answer, the gauges are missing and the counters stand.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._watch = Watch()
        self._read_at = float("-inf")
        self._took_s = 0.0
        self._happened = Happened()
        self._standing: Standing | None = None
        self._is_writable = False

    def describe(self) -> list[Metric]:
        """Nothing: who registers this asks no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if time.monotonic() > self._read_at + KEPT_S:
                self._read()
            happened, standing, took_s = self._happened, self._standing, self._took_s
            is_writable = self._is_writable
        up = GaugeMetricFamily("pernodedrop_database_up", "1 if the database answered the last time, else 0.")
        up.add_metric([], float(standing is not None))
        yield up
        writable = GaugeMetricFamily(
            "pernodedrop_database_writable",
            "1 if /v1/ready says ok; 0 while the database is away, read-only, closed to this user or its disk is full.",
        )
        writable.add_metric([], float(is_writable))
        yield writable
        took = GaugeMetricFamily("pernodedrop_fleet_read_duration_seconds", "Time to read the fleet's figures.")
        took.add_metric([], took_s)
        yield took
        yield from _counters(happened)
        if standing is not None:
            yield from _gauges(standing)

    def _read(self) -> None:
        started = time.monotonic()
        try:
            self._happened, self._standing = self._watch.look(self._database), standing(self._database)
        except (StorageError, *DATABASE_ERRORS):
            self._standing = None
        self._is_writable = self._standing is not None and self._has_room()
        self._read_at = time.monotonic()
        self._took_s = self._read_at - started

    def _has_room(self) -> bool:
        try:
            return self._database.has_room()
        except StorageError:
            return False


def _gauges(standing: Standing) -> Iterator[Metric]:
    runs = GaugeMetricFamily(
        "pernodedrop_runs",
        "Runs of the studies that have not ended, by study and state; those of many studies are added up.",
        labels=["study", "state"],
    )
    for (study, state), number in standing.runs.items():
        runs.add_metric([study, state], number)
    studies = GaugeMetricFamily("pernodedrop_studies", "Studies that have not ended, by state.", labels=["state"])
    for state, number in standing.studies.items():
        studies.add_metric([state], number)
    workers = GaugeMetricFamily(
        "pernodedrop_workers", "Workers of the fleet by state; silent: seen in the last hour only.", labels=["state"]
    )
    for state, number in standing.workers.items():
        workers.add_metric([state], number)
    yield from (runs, studies, workers)


def _counters(happened: Happened) -> Iterator[Metric]:
    for name, text, number in (
        ("claims", "Claims of runs", happened.claims),
        ("leases_lost", "Leases that ended without a word of their holder", happened.leases_lost),
        ("epochs", "Epochs that were trained", happened.epochs),
    ):
        counter = CounterMetricFamily(f"pernodedrop_{name}", f"{text}, since this process began to watch.")
        counter.add_metric([], number)
        yield counter
    ended = CounterMetricFamily("pernodedrop_runs_ended", "Runs that ended, by state.", labels=["state"])
    for state, number in happened.ended.items():
        ended.add_metric([state], number)
    failures = CounterMetricFamily("pernodedrop_run_failures", "Runs that failed, by kind.", labels=["kind"])
    for kind in KINDS:
        failures.add_metric([kind], happened.failures.get(kind, 0))
    yield from (ended, failures)
