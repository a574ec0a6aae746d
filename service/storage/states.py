"""The states of runs, studies and attempts, the stages of a study, and why they end, from the queue to the API.

The values are what the database holds and the API says. This file imports nothing of the program.
"""

from enum import StrEnum


class RunState(StrEnum):
    """Where a unit of a study's budget stands."""

    WAITING = "waiting"  # in the queue: never started, or handed back
    RUNNING = "running"  # leased by a worker, perhaps one that is dead by now
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by hand, or its study was stopped or reached a limit


OPEN_STATES = (RunState.WAITING, RunState.RUNNING)
BEGUN_STATES = (RunState.RUNNING, RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)
FINISHED_STATES = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)


class Stage(StrEnum):
    """What a run is for."""

    SEARCH = "search"  # it becomes a trial of Optuna's
    CONFIRMATION = "confirmation"  # a configuration that the search has found, trained again and tested

    def called(self, number: int) -> str:
        """What people call the stage's run of this number: a trial's number, or a place in the confirmation."""
        return f"trial {number}" if self is Stage.SEARCH else f"confirmation run {number}"


class StudyState(StrEnum):
    """What a study is doing."""

    RUNNING = "running"
    PAUSED = "paused"  # no run is leased, those already running go on
    STOPPED = "stopped"  # for good: waiting runs are cancelled, running ones end at their next epoch
    COMPLETE = "complete"  # every run has ended


class AttemptState(StrEnum):
    """How a worker's time with a run ended, if it has."""

    RUNNING = "running"
    PREEMPTED = "preempted"  # its worker was told to leave and handed the run back: no failed attempt
    LOST = "lost"  # its worker gave no sign of life for the length of its lease, or its trial process was killed
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"


STUDY_STOPPED = "study stopped"  # why a run was cancelled
LONGEST_REASON = 1000  # characters


def storable(reason: str) -> str:
    """Return `reason` on one line of at most `LONGEST_REASON` characters, without NUL and lone surrogates.

    An error's text may quote any byte; text columns refuse these two, and with them the end of the run.
    """
    text = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return " ".join(text.split())[:LONGEST_REASON]
