"""The versions of what trained a study's models, as its runs recorded them."""

from service.reports.found.results import Results
from service.storage.provenance import PACKAGES

NAMED = ("pernodedrop", "torch", "optuna", "python")


def versions_of(results: Results) -> dict[str, list[str]]:
    """Every recorded version of each of NAMED, sorted; one that no run recorded has none."""
    found: dict[str, set[str]] = {name: set() for name in NAMED}
    recorded: set[tuple[str, str]] = set()
    for trial in (*results.trials, *results.confirmations):
        packages = results.provenances.get(trial.provenance or "", {}).get(PACKAGES, {})
        recorded.update((name, str(version)) for name, version in {**trial.facts, **packages}.items() if name in found)
    for name, version in recorded:
        found[name].add(version)
    return {name: sorted(versions) for name, versions in found.items()}
