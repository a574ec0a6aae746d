"""The slots that one agent holds on a GPU, in the database, so that agents on one host spread over its GPUs."""

import contextlib
import logging
import socket
import time
import uuid
from collections.abc import Callable, Sequence

from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.database.sqlstates import DATABASE_ERRORS, told
from service.storage.fleet import slots

log = logging.getLogger(__name__)

LEASE_S = 60.0  # s until a dead agent's slots are free


class GpuSlots:
    """Holds slots on one GPU of `gpus` (UUIDs in CUDA's order); does nothing for a CPU, or where none is known.

    `device` is auto, cpu or cuda:N. For auto it chooses the least used GPU, once. It waits for a database that is away,
    until `give_up()` holds.
    """

    def __init__(
        self, db: Database, device: str, gpus: Sequence[str], give_up: Callable[[], bool] = lambda: False
    ) -> None:
        self._db, self._holders = db, list[str]()
        self._renew_at = 0.0
        self._gpu: str | None = None
        self.device = device  # what a trial process gets
        kind, _, ordinal = device.partition(":")
        if not gpus or kind == "cpu":
            return
        if kind == "auto":
            self._gpu = self._first_of(gpus, give_up)
            self.device = f"auto:{gpus.index(self._gpu)}"
        elif int(ordinal or 0) < len(gpus):
            self._gpu = self._first_of([gpus[int(ordinal or 0)]], give_up)

    def hold(self, count: int) -> None:
        """Hold `count` slots from now on; call it repeatedly. While the database cannot take it, it changes nothing."""
        if self._gpu is None:
            return
        try:
            while len(self._holders) < count:
                self._take([self._gpu])
            if len(self._holders) > count:
                slots.release(self._db, self._holders[count:])
                del self._holders[count:]
            if time.monotonic() > self._renew_at:
                self._renew(self._gpu)
        except DATABASE_ERRORS as error:
            log.debug("slots on %s cannot be renewed yet: %s", self._gpu, told(error))

    def release(self) -> None:
        """Give all slots back; while the database is away their leases expire."""
        if self._holders:
            with contextlib.suppress(*DATABASE_ERRORS):
                slots.release(self._db, self._holders)
            self._holders.clear()

    def _first_of(self, gpus: Sequence[str], give_up: Callable[[], bool]) -> str:
        """Take a slot as soon as the database can note it."""
        return patiently(lambda: self._take(gpus), seconds=float("inf"), again=float("inf"), give_up=give_up)

    def _take(self, gpus: Sequence[str]) -> str:
        holder = str(uuid.uuid4())
        gpu = slots.take(self._db, holder, socket.gethostname(), gpus, LEASE_S)
        self._holders.append(holder)
        return gpu

    def _renew(self, gpu: str) -> None:
        if slots.renew(self._db, self._holders, LEASE_S) < len(self._holders):  # an outage longer than the lease
            for holder in self._holders:
                slots.take(self._db, holder, socket.gethostname(), [gpu], LEASE_S)
        self._renew_at = time.monotonic() + LEASE_S / 3
