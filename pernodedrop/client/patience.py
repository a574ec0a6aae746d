"""Waiting for a controller that does not answer for a while, as a worker waits for the database."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from pernodedrop.client.errors import Unreachable
from pernodedrop.client.wire import Pause, Steps

T = TypeVar("T")

logger = logging.getLogger("pernodedrop.client")

IN_TRAINING = 600.0  # s that a training waits; between two trainings there is no limit
SHORTEST, LONGEST = 0.5, 5.0  # s between two tries


def patiently(attempt: Callable[[], Steps[T]], limit: float | None = None) -> Steps[T]:
    """Carry the operation out again until the controller answers.

    Raises:
        Unreachable: it has not answered for `limit` seconds.
    """
    began, pause = None, SHORTEST
    while True:
        try:
            result = yield from attempt()
        except Unreachable as error:
            if began is None:
                began = time.monotonic()
                logger.warning("%s; waiting for it", error)
            elif limit is not None and time.monotonic() - began >= limit:
                raise
            yield Pause(pause)
            pause = min(2 * pause, LONGEST)
            continue
        if began is not None:
            logger.warning("the controller answers again after %.0f s", time.monotonic() - began)
        return result
