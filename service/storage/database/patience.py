"""Waits while the database is away, and tries again what may succeed then."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from service.storage.database.sqlstates import Remedy, told, trouble_of
from service.storage.errors import DatabaseRefuses, DatabaseUnreachable

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_S = 20.0  # s for which a call is repeated after an error that need not happen again
INPUT_S = 1.0  # s for which it is repeated after one that says that the values cannot be stored
_FIRST_S, _LONGEST_S = 0.1, 2.0


def patiently(
    call: Callable[[], T],
    *,
    seconds: float = 600,
    again: float | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> T:
    """Return `call()`, called again with growing, jittered pauses as the error's remedy says.

    For `seconds` while the database can serve nobody, for `again` (`AGAIN_S` by default) after an error that need not
    happen again, for `INPUT_S` where the values cannot be stored; and once more at least. `call` must be safe to
    repeat: a commit whose answer was lost may have happened.

    Raises:
        The database's error when that time is up or `give_up()` holds; any other error of `call` at once.
    """
    ours = min(seconds, AGAIN_S)
    patience = {
        Remedy.WAIT: seconds,
        Remedy.AGAIN: ours if again is None else again,
        Remedy.OURS: ours,
        Remedy.INPUT: INPUT_S,
    }
    since: dict[Remedy, float] = {}
    pause = _FIRST_S
    while True:
        try:
            return call()
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None or give_up():
                raise
            is_first = trouble.remedy not in since
            began = since.setdefault(trouble.remedy, time.monotonic())
            if not is_first and time.monotonic() + pause > began + patience[trouble.remedy]:
                raise
            if is_first:
                log.warning("%s; trying again", told(error))
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.7, _LONGEST_S)


def until_usable(check: Callable[[], object], say: Callable[[str], None]) -> None:
    """Call `check` until it raises nothing; say what is waited for, once as long as it is the same.

    Raises:
        DatabaseUnreachable, DatabaseRefuses: that will not pass by itself, as where nobody answers at the address.
        Any other error of `check`.
    """
    pause, said = _FIRST_S, ""
    while True:
        try:
            check()
            return
        except (DatabaseUnreachable, DatabaseRefuses) as error:
            if not error.passes:
                raise
            if str(error) != said:
                say(f"{error}; waiting")
            said = str(error)
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 1.7, _LONGEST_S)
