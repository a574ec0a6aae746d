"""What Prometheus reads of a worker: counters of its process, whatever number of slots it has."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from service.storage.database import timing
from service.storage.database.database import Database
from service.storage.states import RunState

REGISTRY = CollectorRegistry()
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=REGISTRY)

CLAIMS = Counter("pernodedrop_worker_claims_total", "Runs that this worker has claimed.", registry=REGISTRY)
LEASES_LOST = Counter(
    "pernodedrop_worker_leases_lost_total", "Runs that another worker held by the time.", registry=REGISTRY
)
EPOCHS = Counter("pernodedrop_worker_epochs_total", "Epochs that this worker has recorded.", registry=REGISTRY)
ENDED = Counter(
    "pernodedrop_worker_runs_total",
    "Runs that this worker has worked on, by how that ended.",
    ["state"],
    registry=REGISTRY,
)
TRAINING = Gauge("pernodedrop_worker_runs_in_progress", "Runs that this worker works on now.", registry=REGISTRY)
ASK = Histogram(
    "pernodedrop_worker_ask_duration_seconds",
    "Time to ask the sampler for a run's parameters, the database's part included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    registry=REGISTRY,
)
_STATEMENTS = Histogram(
    "pernodedrop_database_statement_duration_seconds",
    "Time of the statements that this process sends to the database.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0),
    registry=REGISTRY,
)
for _state in (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED, RunState.PAUSED, "handed_back"):
    ENDED.labels(_state)  # a rate needs a first sample


def measure(db: Database) -> None:
    """Measure the statements on this database."""
    timing.measure(db.engine, _STATEMENTS.observe)


def serve(host: str, port: int) -> None:
    """Serve the metrics in a thread.

    Raises:
        ValueError: nobody can listen there; the message says why.
    """
    try:
        start_http_server(port, host, REGISTRY)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"metrics cannot be served on port {port} of {host}: {reason}") from error
