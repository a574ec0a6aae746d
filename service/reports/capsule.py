"""A study as a capsule: one file with its results, where they come from, and all that it takes to train them again."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pernodedrop.installation import MissingPackage
from service.reports.exports import curve_table, parquet_of
from service.reports.found.results import Results
from service.reports.page import html_report
from service.storage.capsule import CapsuleRun, files_of, packed
from service.storage.capsule.content import CURVES, EXAMINATIONS, REPORT, REQUIREMENTS, number_or_none
from service.storage.capsule.examined import examinations_file
from service.storage.provenance import DISTRIBUTIONS, PACKAGES, Provenance
from service.storage.records import TrialRecord, seeds_of
from service.storage.states import RunState

VERSION = re.compile(r"[0-9A-Za-z.!+_-]+")


def capsule_of(results: Results) -> bytes:
    """The study's capsule, a zip. The same results give the same bytes, as far as the libraries that write them do.

    Without pyarrow it has no curves and cannot be checked; its manifest says so.
    """
    runs = [*results.trials, *results.confirmations]
    files = files_of(
        results.study.definition,
        [_told(results, run) for run in runs if run.run_id],
        _recommended(results),
        results.provenances,
    )
    missing: dict[str, str] = {}
    try:
        files[CURVES] = parquet_of(curve_table(results))
    except MissingPackage as error:
        missing[CURVES] = str(error)
    if results.examinations:
        files[EXAMINATIONS] = examinations_file(results.examinations)
    files[REPORT] = html_report(results).encode()
    files |= _requirements(runs, results.provenances)
    if REQUIREMENTS not in files:
        missing[REQUIREMENTS] = "the versions were not recorded"
    return packed(results.study.name, files, missing)


def _told(results: Results, run: TrialRecord) -> CapsuleRun:
    seeds = seeds_of(results.study.definition, run)
    return CapsuleRun(
        run=run.run_id,
        stage=run.stage,
        number=run.number,
        place=run.place,
        state=run.state,
        variant=run.variant,
        params=dict(run.params),
        values=None if run.values is None else [number_or_none(value) for value in run.values],
        best_epoch=run.best_epoch,
        epoch=run.epoch,
        first_seed=seeds.start,
        seeds=len(seeds),
        facts={name: fact for name, fact in run.facts.items() if isinstance(fact, bool | int | float | str)},
        provenance=run.provenance if run.provenance in results.provenances else None,  # it may just have changed
        reason=run.reason,
        started_at=None if run.started_at is None else run.started_at.isoformat(),
        finished_at=None if run.finished_at is None else run.finished_at.isoformat(),
    )


def _recommended(results: Results) -> list[int]:
    """The runs of the configuration that the confirmation recommends, else the best of the search."""
    winner = results.study.winner
    if winner is None:
        return [run.run_id for run in results.best_first[:1]]
    same = (run for run in results.confirmations if run.params == winner.params)
    return [run.run_id for run in same if run.state is RunState.COMPLETE]


def _requirements(runs: Sequence[TrialRecord], provenances: Mapping[str, Provenance]) -> dict[str, bytes]:
    """A lock file for every set of versions that trained, by its name; that of the most runs is `requirements.txt`."""
    origins = (provenances.get(run.provenance) for run in runs if run.provenance is not None)
    trained = Counter(tuple(sorted(origin.get(PACKAGES, {}).items())) for origin in origins if origin)
    files = {}
    for place, (versions, count) in enumerate(
        sorted(trained.items(), key=lambda item: (-item[1], repr(item[0]))), start=1
    ):
        name = REQUIREMENTS if place == 1 else REQUIREMENTS.replace(".", f"-{place}.")
        files[name] = _lock(dict(versions), count)
    return files


def _lock(given: Mapping[str, str | int], runs: int) -> bytes:
    """The versions as pip reads them.

    A trial's process says them, which an own task may let say anything: what is no version is left out, and what is no
    package of ours, so that nothing else is installed by this file.
    """
    said = {name: str(version) for name, version in given.items()}
    versions = {name: version for name, version in said.items() if VERSION.fullmatch(version)}
    python, ours = versions.pop("python", "(not recorded)"), versions.pop("pernodedrop", None)
    lines = [f"# The packages that trained {runs} of the study's runs, on Python {python}."]
    _, _, build = versions.get("torch", "").partition("+")
    if build:
        lines.append(f"# torch's build {build}: pip install --extra-index-url https://download.pytorch.org/whl/{build}")
    if ours is not None:
        lines.append(f"# pernodedrop {ours}: install the release of this version")
    lines += [f"{name}=={version}" for name, version in versions.items() if name in DISTRIBUTIONS]
    return ("\n".join(lines) + "\n").encode()
