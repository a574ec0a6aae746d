"""How long the database takes for each statement, told to whoever measures."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

_STARTED = "pernodedrop_started"


def measure(engine: sa.Engine, observe: Callable[[float], None]) -> None:
    """Call `observe` with the seconds of each statement of the engine that succeeds, in the thread that sent it."""

    def before(connection: sa.Connection, *_: Any) -> None:
        connection.info[_STARTED] = time.perf_counter()

    def after(connection: sa.Connection, *_: Any) -> None:
        started = connection.info.pop(_STARTED, None)
        if started is not None:
            observe(time.perf_counter() - started)

    sa.event.listen(engine, "before_cursor_execute", before)
    sa.event.listen(engine, "after_cursor_execute", after)
