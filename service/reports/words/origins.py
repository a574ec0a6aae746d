"""Where the runs of a study come from, in words: only if they do not all come from the same."""

from collections import Counter
from collections.abc import Iterable, Mapping

from service.storage.provenance import RUN, Provenance, varying
from service.storage.records import TrialRecord

MOST_VALUES = 3  # of a fact, that are named
LONGEST = 60  # characters of a value


def origins(runs: Iterable[TrialRecord], provenances: Mapping[str, Provenance]) -> str:
    """One line on what differs between the trained runs; "" where nothing does.

    The backend is no part of it, because variants have their own. Runs of earlier releases say nothing.
    """
    counts = Counter(run.provenance for run in runs if run.facts)
    unknown = counts.pop(None, 0)
    known = [provenances[digest] for digest in counts if digest is not None and digest in provenances]
    differing = {key: values for key, values in varying(known).items() if key != (RUN, "backend")}
    told = []
    if differing:
        facts = "; ".join(f"{group} {name} {_values(values)}" for (group, name), values in differing.items())
        told.append(f"The runs of this study do not all come from the same, so they are not bit-comparable: {facts}.")
    if unknown and known:
        told.append(f"Where {unknown:,} of the runs come from is not recorded.")
    return " ".join(told)


def _values(values: list[str | int | None]) -> str:
    shown = " or ".join("none" if value is None else str(value)[:LONGEST] for value in values[:MOST_VALUES])
    return shown if len(values) <= MOST_VALUES else f"{shown} or {len(values) - MOST_VALUES} more"
