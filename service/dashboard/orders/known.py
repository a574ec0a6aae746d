"""The orders that there are: another one is a line here. Buttons stand in this order."""

from collections.abc import Mapping, Sequence
from typing import Any

from pernodedrop.near import did_you_mean
from service.dashboard.access.orders import CREATE_KEY, REVOKE_KEY, REVOKE_SHARE, ROTATE_KEY, SHARE
from service.dashboard.orders import growing, keeping, running, runs
from service.dashboard.orders.order import Order
from service.storage.access.keys import AccessKey
from service.storage.access.shares import Share
from service.storage.fleet.members import Member
from service.storage.records import StudyRecord, TrialRecord

OF_STUDIES: Sequence[Order[StudyRecord]] = (
    running.PAUSE,
    running.RESUME,
    growing.EXTEND,
    growing.CONFIRM,
    growing.RETRY,
    keeping.PRIORITIZE,
    keeping.NOTE,
    SHARE,
    running.STOP,
    keeping.DELETE,
)
OF_RUNS: Sequence[Order[TrialRecord]] = (runs.CANCEL, runs.RETRY)
OF_WORKERS: Sequence[Order[Member]] = (runs.DRAIN,)
OF_ALL_KEYS: Sequence[Order[object]] = (CREATE_KEY,)
OF_KEYS: Sequence[Order[AccessKey]] = (ROTATE_KEY, REVOKE_KEY)
OF_SHARES: Sequence[Order[Share]] = (REVOKE_SHARE,)

ORDERS: Mapping[str, Sequence[Order[Any]]] = {
    "study": OF_STUDIES,
    "run": OF_RUNS,
    "worker": OF_WORKERS,
    "keys": OF_ALL_KEYS,
    "key": OF_KEYS,
    "link": OF_SHARES,
}


class UnknownOrder(LookupError):
    """There is no order of that name."""


def order_called(name: str, on: str) -> Order[Any]:
    """The order of this name on a study, a run, a worker, the keys, a key or a link; raises UnknownOrder."""
    there = {order.name: order for order in ORDERS[on]}
    if name not in there:
        remedy = did_you_mean(name, there, f"there are {', '.join(there)}")
        raise UnknownOrder(f"there is no order {name[:60]!r} on a {on}: {remedy}")
    return there[name]
