"""What a run of the schedule came to: the problems, and the tables."""

from tests.chaos import table
from tests.chaos.definitions import MISBEHAVING, POISON
from tests.chaos.fleet import Exit
from tests.chaos.survival import Survival

DATABASE_AWAY = 3  # exit code of a worker that starts while the database is away
KILLED = -9
NO_REASON = ("exit code 0", "None")  # of a run's failure
NO_TRIAL_PROCESS = "no trial process could be started"  # its trial process was killed while it came up


def problems_of(outcome: Survival) -> list[str]:
    """Everything that is not as promised."""
    unmeant = [end for end in outcome.exits if not end.meant]
    return [
        *outcome.broken,
        *outcome.surprises,
        *(f"study {name} has not finished" for name in outcome.unfinished),
        *(f"lost: {failure}" for failure in outcome.failures if not failure.startswith(("poison ", MISBEHAVING))),
        *(f"no reason: {failure}" for failure in outcome.failures if failure.endswith(NO_REASON)),
        *([] if sum(failure.startswith("poison ") for failure in outcome.failures) == 1 else [f"no {POISON!r} failed"]),
        *map(str, outcome.findings),
        *outcome.unconfirmed,
        *([] if outcome.own and outcome.retried else ["no own loop's failed run was tried again"]),
        *outcome.weights_wrong,
        *(f"{name} differs from an uninterrupted training" for name in outcome.different),
        *(f"{name} was not repeated to the last bit by an undisturbed worker" for name in outcome.unlike),
        *(f"not recovered: {injected.fault}" for injected, cost in outcome.costs if cost.recovered_s is None),
        *(str(end) for end in unmeant if not _is_told(end)),
        *(f"a worker told to leave ended with {code}" for code in outcome.farewells if code != 0),
    ]


def _is_told(end: Exit) -> bool:
    """Whether a worker ended for a reason that it gave, or was killed by the poison."""
    return end.code in (DATABASE_AWAY, KILLED) or NO_TRIAL_PROCESS in end.last_words


def report(outcome: Survival, again: str) -> str:
    """The tables, as they stand in a document."""
    started_away = sum(end.code == DATABASE_AWAY and not end.meant for end in outcome.exits)
    figures = {
        "command": f"`{again}`",
        "seconds in all": f"{outcome.seconds:.0f}",
        "studies": len(outcome.studies),
        "runs": ", ".join(f"{number} {state}" for state, number in sorted(outcome.counts.items())),
        "failed or cancelled": "; ".join(outcome.failures) or "none",
        "workers ended and replaced": len(outcome.exits),
        "of these started while the database was away": started_away,
        "runs taken over from a worker that was lost": outcome.takeovers,
        "runs handed back": outcome.handed_back,
        "runs of confirmations": outcome.confirmations,
        "orders that extended a confirmation": outcome.extended,
        "runs of confirmations with more than one holder": outcome.moved,
        "runs of own loops": outcome.own,
        "of these with more than one holder": outcome.own_moved,
        "orders that had failed runs tried again": outcome.retried,
        "resumed and complete": outcome.resumed,
        "trained again without interruption": outcome.compared,
        "of these different in any bit": len(outcome.different),
        "searches with a lag, repeated by one worker": outcome.repeated,
        "of these found something else": len(outcome.unlike),
        "findings of the audit": len(outcome.findings),
        "runs whose checkpoints were left behind": len(outcome.checkpoints_left),
        "files of weights that the database names": outcome.weights,
        "of these missing, or others that live on": len(outcome.weights_wrong),
    }
    return f"{table.markdown(table.HEADER, table.rows(outcome.costs))}\n{table.totals(figures)}"
