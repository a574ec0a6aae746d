"""A confirmation that goes on until it is decided: its looks, replayed, and what the storage has decided."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from service.reports.found.configurations import configurations
from service.statistics import Decision, Outcome, Round, Rules, decide
from service.storage.records import StudyRecord, TrialRecord, seeds_of
from service.storage.runs.looks import is_fixed_first
from service.storage.states import OPEN_STATES, RunState, StudyState

LOST = (RunState.FAILED, RunState.CANCELLED)


def has_decision(study: StudyRecord) -> bool:
    """Whether the confirmation goes on until it is decided, or was extended after its fixed number of seeds."""
    asked = study.definition.confirmation
    return bool(study.looks) or study.decision is not None or (asked is not None and asked.is_decided)


def is_broken(runs: Sequence[TrialRecord]) -> bool:
    """Whether a configuration has lost a run: it gets no further seeds."""
    return any(run.state in LOST for run in runs)


def looks_of(study: StudyRecord, most: int) -> list[int]:
    """The seeds of all looks so far, ascending; `most` are those of the configuration that has the most.

    A confirmation that has ended was looked at for the last time with all its seeds.
    """
    looks = [seeds for seeds, _ in study.looks]
    last = 0
    if study.decision is not None:
        last = int(study.decision["seeds"])
    elif study.state is StudyState.COMPLETE:
        last = most
    return [*looks, last] if last > max(looks, default=0) else looks


def most_seeds(study: StudyRecord) -> int:
    """The seeds at which the confirmation ends in any case."""
    asked = study.definition.confirmation
    if asked is None:
        raise ValueError(f"study {study.name!r} has no confirmation")
    return asked.most


def replayed(
    study: StudyRecord,
    costs: Sequence[Sequence[float]],
    looks: Sequence[int],
    first_runs: Sequence[TrialRecord],
    broken: Collection[int],
) -> Decision:
    """The decision by the configurations' costs under the shared seeds, in their order; `broken` are the places of
    those that have lost a run.

    What the storage has decided is the outcome, who is left and who was dropped, also where a later release would
    decide otherwise.
    """
    asked = study.definition.confirmation
    indifference = 0.0 if asked is None else asked.indifference
    decision = decide(costs, looks, Rules(most_seeds(study), indifference, is_fixed_first(study.looks)))
    decision = _with_those_dropped(decision, [len(row) for row in costs], broken)
    if study.decision is None:
        return decision
    places = {run.run_id: place for place, run in enumerate(first_runs)}
    left = tuple(places[run] for run in study.decision["left"] if run in places)
    return replace(decision, outcome=Outcome(study.decision["outcome"]), left=left)


def _with_those_dropped(decision: Decision, seeds: Sequence[int], broken: Collection[int]) -> Decision:
    """The decision by which those are dropped that got no further seeds, though they have lost no run."""
    rounds = list(decision.rounds)
    gone = {*broken, *decision.left, *(place for one in rounds for place in (*one.dropped, *one.diverged))}
    for place, count in enumerate(seeds):
        if rounds and count < rounds[-1].seeds and place not in gone:
            last = max(at for at, one in enumerate(rounds) if place in one.compared)
            rounds[last] = replace(rounds[last], dropped=(*rounds[last].dropped, place))
    return replace(decision, rounds=tuple(rounds))


def renumbered(decision: Decision, places: Mapping[int, int]) -> Decision:
    """The decision with other numbers for its configurations."""

    def new(old: Sequence[int]) -> tuple[int, ...]:
        return tuple(places[one] for one in old)

    rounds = tuple(
        Round(
            one.seeds,
            new(one.compared),
            new(one.dropped),
            new(one.diverged),
            {places[place]: bound for place, bound in one.bounds.items()},
        )
        for one in decision.rounds
    )
    return Decision(decision.outcome, new(decision.left), rounds)


def standing(study: StudyRecord, confirmations: Sequence[TrialRecord]) -> tuple[int, int]:
    """How many configurations are in the confirmation still, and how many there are, by their runs alone.

    Those are in that have lost no run, and are being trained or have as many seeds as any.
    """
    definition = study.definition
    several = configurations(definition, confirmations)
    ends = [max(seeds_of(definition, run).stop for run in runs) for runs in several]
    furthest = max(ends, default=0)

    def is_in(runs: Sequence[TrialRecord], end: int) -> bool:
        return not is_broken(runs) and (end == furthest or any(run.state in OPEN_STATES for run in runs))

    return sum(map(is_in, several, ends)), len(several)


def recommended(study: StudyRecord, decision: Decision, first_runs: Sequence[TrialRecord]) -> int:
    """The place of the configuration that is recommended, by the storage where it has decided, else by its rules.

    Of several that are practically equal it is the preferred variant's, and otherwise the best by its mean.
    """
    stored = None if study.decision is None else study.decision["recommended"]
    of_run = [place for place, run in enumerate(first_runs) if run.run_id == stored]
    prefer = None if study.definition.confirmation is None else study.definition.confirmation.prefer
    preferred = [place for place in decision.left if first_runs[place].variant == prefer]
    return next(iter((*of_run, *(preferred if decision.outcome is Outcome.EQUAL else ()), *decision.left)), 0)
