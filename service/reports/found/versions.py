"""The versions of what trained a study's models, as its runs recorded them."""

from collections.abc import Mapping
from typing import Any

from service.reports.found.results import Results

PACKAGES = ("pernodedrop", "torch", "optuna", "python")


def versions_of(results: Results) -> dict[str, list[str]]:
    """Every recorded version of each of PACKAGES, sorted; one that no run recorded has none."""
    found: dict[str, set[str]] = {name: set() for name in PACKAGES}
    origins: Mapping[str, Mapping[str, Any]] = getattr(results, "provenances", {})  # by digest, where runs have one
    recorded: set[tuple[str, str]] = set()
    for trial in (*results.trials, *results.confirmations):
        packages = origins.get(getattr(trial, "provenance", None) or "", {}).get("packages", {})
        recorded.update((name, str(version)) for name, version in {**trial.facts, **packages}.items() if name in found)
    for name, version in recorded:
        found[name].add(version)
    return {name: sorted(versions) for name, versions in found.items()}
