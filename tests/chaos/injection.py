"""From a schedule to faults that happen."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.controller import Controller, submit
from tests.chaos.database import Server
from tests.chaos.definitions import misbehaving
from tests.chaos.disk import Disk
from tests.chaos.fleet import Fleet
from tests.chaos.observer import Observer
from tests.chaos.own_loop import ASKERS
from tests.chaos.proxy import Network, Weather
from tests.chaos.schedule import MISBEHAVIOUR, Fault, Kind

DAY_S = 86_400.0
# Of every class that a healthy server raises now and then, and of some that a sick one does.
CODES = (
    *("0A000", "22P02", "23505", "25006", "25P03", "40001", "40P01", "42501", "53100", "53200", "53300"),
    *("54000", "55P03", "57014", "57P01", "57P02", "58030", "58P01", "XX000", "XX001"),
)

Act = Callable[[Fault], None]


@dataclass(frozen=True)
class Injected:
    """A fault that happened, and the runs that were in training where it struck."""

    fault: Fault
    at: float  # s of time.monotonic
    runs: list[int] = field(default_factory=list)


def general(fleet: Fleet, network: Network, server: Server) -> dict[Kind, Act]:
    """What can befall any program that talks to a Postgres."""

    def cut(fault: Fault, weather: Weather) -> None:
        _cut(network, weather, fault.worker, fault.seconds)

    return {
        Kind.KILL_WORKER: lambda fault: fleet.kill(_place(fault)),
        Kind.KILL_TRIAL: lambda fault: fleet.kill_trial(_place(fault)),
        Kind.FREEZE: lambda fault: fleet.freeze(_place(fault), fault.seconds),
        Kind.DRAIN: lambda fault: fleet.drain(_place(fault)),
        Kind.CRASH_DATABASE: lambda fault: server.crash(fault.seconds),
        Kind.FREEZE_DATABASE: lambda fault: server.freeze(fault.seconds),
        Kind.STALL: lambda fault: cut(fault, Weather.STALL),
        Kind.RESET: lambda fault: cut(fault, Weather.DOWN),
        Kind.SWALLOW: lambda fault: cut(fault, Weather.SWALLOW),
    }


def particular(controller: Controller, disk: Disk, clocks: Sequence[Path]) -> dict[Kind, Act]:
    """What can befall this fleet alone."""
    return {
        Kind.RESTART_CONTROLLER: lambda fault: controller.restart(fault.seconds),
        Kind.FILL_DISK: lambda fault: disk.fill(fault.seconds),
        Kind.JUMP_CLOCK: lambda fault: _write(clocks[_place(fault)], str(fault.amount * DAY_S)),
        **dict.fromkeys(MISBEHAVIOUR, lambda fault: submit(controller.url, misbehaving(fault))),
    }


def treacherous(fleet: Fleet, server: Server, disk: Disk, observer: Observer) -> dict[Kind, Act]:
    """What goes on with wrong words or data instead of being away."""

    def flip(fault: Fault) -> None:
        runs = observer.in_training(fleet.pids(_place(fault)))
        fleet.kill(_place(fault))
        disk.flip(runs, random.Random(fault.amount))

    def restore(fault: Fault) -> None:
        dump = server.dump()
        time.sleep(fault.seconds)
        observer.pause()
        try:
            server.restore(dump)
        finally:
            observer.forget()

    return {
        Kind.REFUSE_ONCE: lambda fault: server.refuse_once(fault.among(CODES)),
        Kind.READ_ONLY: lambda fault: server.be_read_only(fault.seconds),
        Kind.RESTORE_DUMP: restore,
        Kind.FLIP_BIT: flip,
    }


def of_askers(askers: Fleet, network: Network) -> dict[Kind, Act]:
    """What can befall an own loop, whose network leads to the controller."""
    weathers = (Weather.STALL, Weather.DOWN, Weather.SWALLOW)
    return {
        Kind.KILL_ASKER: lambda fault: askers.kill(asker_of(fault)),
        Kind.FREEZE_ASKER: lambda fault: askers.freeze(asker_of(fault), fault.seconds),
        Kind.CUT_ASKER: lambda fault: _cut(network, fault.among(weathers), asker_of(fault), fault.seconds),
    }


def asker_of(fault: Fault) -> int:
    """The own loop that a fault strikes."""
    return _place(fault) % ASKERS


class Injector:
    """Lets a schedule happen; faults that last overlap with those that follow."""

    def __init__(self, acts: Mapping[Kind, Act], struck: Callable[[Fault], list[int]]) -> None:
        self._acts, self._struck = acts, struck
        self._lasting: list[threading.Thread] = []
        self.injected: list[Injected] = []
        self.lasted: dict[Fault, float] = {}  # s
        self.broken: list[str] = []

    def run(self, faults: Sequence[Fault], over: Callable[[], bool] = lambda: False) -> None:
        """Inject the faults at their times, until `over()`; return when all that lasts has passed."""
        start = time.monotonic()
        for fault in faults:
            while not over() and (left := start + fault.at - time.monotonic()) > 0:
                time.sleep(min(left, 0.5))
            if over():
                break
            self.injected.append(Injected(fault, time.monotonic(), self._struck(fault)))
            self._lasting.append(threading.Thread(target=self._act, args=(fault,), name=str(fault)))
            self._lasting[-1].start()
        for thread in self._lasting:
            thread.join()

    def _act(self, fault: Fault) -> None:
        started = time.monotonic()
        try:
            self._acts[fault.kind](fault)
            self.lasted[fault] = time.monotonic() - started
        except Exception as error:  # a fault that could not be made is no proof of anything
            self.broken.append(f"{fault}: {error!r}")


def _cut(network: Network, weather: Weather, link: int | None, seconds: float) -> None:
    network.turn(weather, link)
    time.sleep(seconds)
    if weather is Weather.SWALLOW:  # what was lost is not to be made up for
        network.turn(Weather.DOWN, link)
    network.turn(Weather.FAIR, link)


def _place(fault: Fault) -> int:
    assert fault.worker is not None
    return fault.worker


def _write(path: Path, text: str) -> None:
    path.write_text(text)
