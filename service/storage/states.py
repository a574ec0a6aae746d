"""The states of runs, studies and attempts, the stages of a study, and the reasons for their ends.

The database and the API use these values. This file imports nothing of the program.
"""

from enum import StrEnum


class RunState(StrEnum):
    """The state of one unit of a study's budget."""

    WAITING = "waiting"  # in the queue: never started, or handed back
    RUNNING = "running"  # leased by a worker, perhaps one that is dead by now
    PAUSED = "paused"  # at a rung, without a worker: it goes on from its checkpoint if it is promoted
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by hand, or its study was stopped or reached a limit


OPEN_STATES = (RunState.WAITING, RunState.RUNNING, RunState.PAUSED)
BEGUN_STATES = (RunState.RUNNING, RunState.PAUSED, RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)
FINISHED_STATES = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)


class Stage(StrEnum):
    """The purpose of a run."""

    SEARCH = "search"  # it becomes an Optuna trial
    CONFIRMATION = "confirmation"  # it trains a configuration of the search again and tests it

    def called(self, number: int) -> str:
        """Return the name of the stage's run with this number: a trial's number, or a place in the confirmation."""
        return f"trial {number}" if self is Stage.SEARCH else f"confirmation run {number}"


class Origin(StrEnum):
    """Who chose a run's parameters."""

    SAMPLER = "sampler"
    GIVEN = "given"  # a person: the definition's start_with, or a configuration put into the queue
    OUTSIDE = "outside"  # a person, outside of the search space: the sampler does not learn from it


class StudyState(StrEnum):
    """The state of a study."""

    RUNNING = "running"
    PAUSED = "paused"  # no run is leased, but running ones continue
    STOPPED = "stopped"  # for good: waiting and paused runs are cancelled, running ones end at their next epoch
    COMPLETE = "complete"  # every run has ended, and a trial is complete
    FAILED = "failed"  # every run has ended, and no trial is complete


class AttemptState(StrEnum):
    """The state of a worker's time with a run."""

    RUNNING = "running"
    PREEMPTED = "preempted"  # its worker was asked to leave and handed the run back: no failed attempt
    PAUSED = "paused"  # its trial waits at a rung, and its worker is free
    LOST = "lost"  # its worker gave no sign of life for the length of its lease, or its trial process was killed
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"


STUDY_STOPPED = "study stopped"  # why a run was cancelled
EPOCHS_SPENT = "epochs:"  # how the reason begins why a search has ended whose epochs are spent
LONGEST_REASON = 1000  # characters


def storable(reason: str) -> str:
    """Return `reason` on one line of at most `LONGEST_REASON` characters, without NUL and lone surrogates.

    An error's text may quote any byte; text columns would refuse these two, and the run could not end.
    """
    text = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return " ".join(text.split())[:LONGEST_REASON]
