"""Waiting for a controller that does not answer for a while, as a worker waits for the database."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from pernodedrop.client.errors import Refused, Unreachable
from pernodedrop.client.wire import Pause, Steps

T = TypeVar("T")

INTERNAL = 500  # the status of a fault
AWAY = (502, 503, 504)  # what a proxy answers for a controller that is away

logger = logging.getLogger("pernodedrop.client")

IN_TRAINING = 600.0  # s that a training waits; between two trainings there is no limit
SHORTEST, LONGEST = 0.5, 5.0  # s between two tries
FAULT = 20.0  # s that a fault of the controller may last, as one of the database may for a worker


def patiently(attempt: Callable[[], Steps[T]], limit: float | None = None) -> Steps[T]:
    """Carry the operation out again until the controller answers, and does not stumble over a fault of its own.

    Raises:
        Unreachable: it has not answered for `limit` seconds.
        Refused: it refuses, or its fault has lasted for `FAULT` seconds.
    """
    began, pause = None, SHORTEST
    while True:
        try:
            result = yield from attempt()
        except (Unreachable, Refused) as error:
            longest = limit
            if isinstance(error, Refused) and error.status not in AWAY:
                if error.status != INTERNAL:
                    raise
                longest = FAULT if limit is None else min(limit, FAULT)
            if began is None:
                began = time.monotonic()
                logger.warning("%s; waiting for it", error)
            elif longest is not None and time.monotonic() - began >= longest:
                raise
            yield Pause(pause)
            pause = min(2 * pause, LONGEST)
            continue
        if began is not None:
            logger.warning("the controller answers again after %.0f s", time.monotonic() - began)
        return result
