"""Orders on one run of a study, and on a worker."""

from collections.abc import Mapping

from service.dashboard.orders.order import Order
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.fleet.members import Member
from service.storage.records import TrialRecord
from service.storage.states import OPEN_STATES, RunState, Stage
from service.storage.studies import cancellation, retrying
from service.web.access import Role
from service.web.forms import Form


def _cancel(database: Database, about: Mapping[str, str], _: Form) -> str:
    stage = Stage(about["stage"])
    cancellation.cancel(database, about["name"], int(about["number"]), stage)
    return f"{stage.called(int(about['number'])).capitalize()} is cancelled."


def _retry(database: Database, about: Mapping[str, str], _: Form) -> str:
    retrying.retry(database, about["name"], [int(about["number"])])
    return f"Trial {about['number']} waits again, with the configuration that it had."


def _drain(database: Database, about: Mapping[str, str], _: Form) -> str:
    workers.drain(database, about["worker"])
    return "The worker hands its trial back with a checkpoint and ends within seconds."


CANCEL = Order[TrialRecord](
    "cancel",
    "Cancel",
    "The run ends for good; its worker takes another within seconds.",
    lambda run: run.state in OPEN_STATES and (run.number is not None or run.stage is Stage.CONFIRMATION),
    _cancel,
    takes_away=True,
)
RETRY = Order[TrialRecord](
    "retry",
    "Try again",
    "The trial waits again, with the configuration that it had.",
    lambda run: run.state == RunState.FAILED and run.stage is Stage.SEARCH and run.number is not None,
    _retry,
    starts_runs=True,
)
DRAIN = Order[Member](
    "drain",
    "Drain",
    "The worker hands its trial back with a checkpoint, then it ends.",
    lambda worker: not worker.is_leaving and worker.serves is None,
    _drain,
    role=Role.ADMIN,
    takes_away=True,
)
