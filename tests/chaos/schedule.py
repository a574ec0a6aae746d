"""What goes wrong, and when: a function of the seed alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

GAP_S = 4.0  # between two faults, on average
LEASE_S = 3.0  # of the workers under test
SHARE = 0.6  # of the time that is given: starting, ending and comparing take the rest


class Kind(StrEnum):
    """A kind of fault, in the words of the table at the end."""

    KILL_WORKER = "SIGKILL of a worker"
    KILL_TRIAL = "SIGKILL of a trial process"
    FREEZE = "SIGSTOP beyond the lease, SIGCONT"
    DRAIN = "SIGTERM, a replacement starts"
    CRASH_DATABASE = "Postgres: immediate stop, restart"
    FREEZE_DATABASE = "Postgres: SIGSTOP, SIGCONT"
    REFUSE_ONCE = "Postgres: an error raised once"
    READ_ONLY = "Postgres: read-only for a while"
    STALL = "network: stalls, delivers late"
    RESET = "network: connections reset and refused"
    SWALLOW = "network: answers lost, then reset"
    RESTART_CONTROLLER = "SIGKILL of the controller, restart"
    FILL_DISK = "disk of the checkpoints full"
    JUMP_CLOCK = "a worker's time.time jumps up to a day"
    LEAVE_STATE = "a task leaves process-wide state behind"
    LEAVE_PROCESS = "a task leaves processes behind"
    END_PROCESS = "a task ends its process"
    RESTORE_DUMP = "Postgres: an earlier dump restored"
    FLIP_BIT = "a bit of a checkpoint flips, SIGKILL of its worker"
    KILL_ASKER = "SIGKILL of an own loop"
    FREEZE_ASKER = "SIGSTOP of an own loop beyond its lease, SIGCONT"
    CUT_ASKER = "an own loop is cut off from the controller"


# How often each kind comes in a deck; decks are shuffled, so that a short run has met every kind as well.
DECK = {
    Kind.KILL_WORKER: 3,
    Kind.KILL_TRIAL: 3,
    Kind.FREEZE: 3,
    Kind.DRAIN: 3,
    Kind.CRASH_DATABASE: 1,
    Kind.FREEZE_DATABASE: 1,
    Kind.REFUSE_ONCE: 3,
    Kind.READ_ONLY: 1,
    Kind.STALL: 3,
    Kind.RESET: 2,
    Kind.SWALLOW: 2,
    Kind.RESTART_CONTROLLER: 1,
    Kind.FILL_DISK: 1,
    Kind.JUMP_CLOCK: 1,
    Kind.LEAVE_STATE: 2,
    Kind.LEAVE_PROCESS: 1,
    Kind.END_PROCESS: 1,
    Kind.RESTORE_DUMP: 1,
    Kind.FLIP_BIT: 2,
    Kind.KILL_ASKER: 2,
    Kind.FREEZE_ASKER: 2,
    Kind.CUT_ASKER: 2,
}
MISBEHAVIOUR = (Kind.LEAVE_STATE, Kind.LEAVE_PROCESS, Kind.END_PROCESS)  # of a task
NETWORK = (Kind.STALL, Kind.RESET, Kind.SWALLOW)
OF_ASKERS = (Kind.KILL_ASKER, Kind.FREEZE_ASKER, Kind.CUT_ASKER)

# What also befalls a program that is a loop around `study.optimize`; killing its trial is killing it.
GENERAL = (
    *(Kind.KILL_WORKER, Kind.KILL_TRIAL, Kind.FREEZE, Kind.DRAIN),
    *(Kind.CRASH_DATABASE, Kind.FREEZE_DATABASE),
    *NETWORK,
)


@dataclass(frozen=True)
class Fault:
    """One fault: when (s from the start), what, to whom, for how long (s; nothing for a kill)."""

    at: float
    kind: Kind
    worker: int | None  # None: all of them
    seconds: float
    amount: float  # in [-1, 1]: how far a clock jumps, or which of a kind it is

    def among(self, choices: Sequence[T]) -> T:
        """The one of the choices that this fault is."""
        return choices[min(int((self.amount + 1) / 2 * len(choices)), len(choices) - 1)]

    def __str__(self) -> str:
        whom = "all" if self.worker is None else f"worker {self.worker}"
        return f"{self.at:7.1f} s  {self.kind:50}  {whom}  {self.seconds:.1f} s"


def schedule(seed: int, seconds: float, workers: int) -> list[Fault]:
    """The faults of the first `seconds`; a longer schedule of the same seed begins with them."""
    draw = random.Random(seed)
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = draw.uniform(0, GAP_S)
    while at < seconds:
        if not deck:
            deck = [kind for kind, times in DECK.items() for _ in range(times)]
            draw.shuffle(deck)
        kind = deck.pop()
        target = None if kind in NETWORK and draw.random() < 0.25 else draw.randrange(workers)
        faults.append(Fault(at, kind, target, draw.uniform(1.0, 3.0) * LEASE_S, draw.uniform(-1, 1)))
        at += draw.uniform(0.25, 1.75) * GAP_S
    return faults
