"""Waits while the database is away."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = logging.getLogger(__name__)

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError, PoolTimeout, StorageInternalError)
_FIRST_S, _LONGEST_S = 0.1, 2.0


def patiently(call: Callable[[], T], *, seconds: float = 600, give_up: Callable[[], bool] = lambda: False) -> T:
    """Return `call()`, called again with growing, jittered pauses while the database does not answer.

    `call` must be safe to repeat: a commit whose answer was lost may have happened.

    Raises:
        The database's error once `seconds` have passed or `give_up()` holds; any other error of `call` at once.
    """
    pause, deadline = _FIRST_S, time.monotonic() + seconds
    while True:
        try:
            return call()
        except AWAY as error:
            if time.monotonic() + pause > deadline or give_up():
                raise
            if pause == _FIRST_S:
                log.warning("the database does not answer, waiting for it: %s", first_line(error))
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.7, _LONGEST_S)


def first_line(error: Exception) -> str:
    """The first line of a database error, without the statement and the link to SQLAlchemy's manual."""
    return str(error).strip().splitlines()[0]
