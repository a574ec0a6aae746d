"""The weights of a study's configuration: which runs they are of, and their files as one zip."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from pernodedrop.installation import MissingPackage
from search_spaces.keep import keeps_confirmation, keeps_search
from service.reports import Results
from service.reports.found.configurations import configurations
from service.reports.found.confirmed import confirmation_of
from service.reports.found.recommended import recommended_of
from service.reports.found.weights import KeptWeights, kept_by, kept_of
from service.reports.words.recommended import recommendation
from service.storage.artifacts import FOLDER_FORMAT, FOLDER_VERSION, MANIFEST, ArtifactRoot, NoSuchFile
from service.storage.database.database import Database
from service.storage.fleet.ownership import database_id
from service.storage.records import StudyRecord, TrialRecord, Weights
from service.storage.runs import keeping
from service.storage.states import RunState, Stage
from service.storage.studies import curves, trials
from service.web.zips import zipped


class NoWeights(Exception):
    """There are no weights to hand out; str() says why, and what to do."""


@dataclass(frozen=True)
class Chosen:
    """A configuration's weights, and why it is this one."""

    study: StudyRecord
    why: str
    kept: KeptWeights


def has_winners_weights(study: StudyRecord) -> bool:
    """Whether the study may hand out the weights of what it recommends."""
    return study.winner is not None and keeps_confirmation(study.definition.keep)


def weights_digests(database: Database, study: StudyRecord) -> Mapping[int, str]:
    """The digest of each confirmed configuration's weights, by the configuration's first run; of whole ones only."""
    if not keeps_confirmation(study.definition.keep):
        return {}
    runs = trials.confirming(database, study)
    kept = keeping.of_runs(database, [run.run_id for run in runs])
    found = kept_of(Results(study, [], {}, runs, weights=kept))
    return {one.trial.run_id: one.digest for one in found if one.digest is not None}


def chosen_weights(
    database: Database, study: StudyRecord, *, trial: int | None = None, place: int | None = None
) -> Chosen:
    """The weights of the recommended configuration, of a trial of the search, or of that of a confirmation's run.

    Without a confirmation, the search's best trial is taken.

    Raises:
        NoWeights: nothing was kept, or nothing is recommended yet.
        UnknownTrial: there is no such trial or run.
    """
    definition = study.definition
    if definition.task.is_external:
        raise NoWeights(f"study {study.name!r} is trained by your own loop, which keeps its weights itself")
    if trial is not None:
        return _of_trial(database, study, trials.get(database, study, trial), f"trial {trial} of the search")
    if not keeps_confirmation(definition.keep):
        raise NoWeights(f"study {study.name!r} keeps no weights: it says keep: none, as earlier releases did")
    if definition.confirmation is None and place is None:
        if not keeps_search(definition.keep):
            raise NoWeights(
                f"study {study.name!r} keeps the weights of its confirmation, and has none: "
                f"run `pernodedrop confirm {study.name}`, or say keep: best in the next study"
            )
        if study.best is None:
            raise NoWeights(f"study {study.name!r} has no complete trial yet: ask again later")
        return _of_trial(database, study, study.best, "the best trial of the search, which nothing has confirmed")
    return _confirmed(database, study, place)


def _of_trial(database: Database, study: StudyRecord, run: TrialRecord, why: str) -> Chosen:
    if not keeps_search(study.definition.keep):
        raise NoWeights(
            f"study {study.name!r} keeps no weights of its search: its definition says keep: {study.definition.keep}"
        )
    kept = kept_by(study.definition, [run], keeping.of_runs(database, [run.run_id]))
    if not kept.by_seed:
        reason = f"it is {run.state}" if run.state is not RunState.COMPLETE else "only each variant's best keeps them"
        raise NoWeights(f"{why} of study {study.name!r} has no weights: {reason}")
    return _whole(Chosen(study, why, kept))


def _confirmed(database: Database, study: StudyRecord, place: int | None) -> Chosen:
    runs = trials.confirming(database, study)
    if place is not None:
        asked = trials.get(database, study, place, Stage.CONFIRMATION)
        first, why = asked.run_id, f"run {place} of the confirmation"
    else:
        found = Results(study, [], {run.run_id: curves.of_run(database, run.run_id) for run in runs}, runs)
        confirmed = confirmation_of(found)
        named = None if confirmed is None else recommended_of(study, confirmed)
        if confirmed is None or named is None:
            raise NoWeights(
                f"study {study.name!r} recommends no configuration yet, and is {study.state}: ask again when its "
                "confirmation has ended, or for one of its runs by --confirmation PLACE"
            )
        first, why = named.trial.run_id, recommendation(confirmed, named)
    each = configurations(study.definition, runs)
    of_it = next((several for several in each if first in {run.run_id for run in several}), None)
    if of_it is None:
        raise NoWeights(f"the confirmation of study {study.name!r} was changed or deleted meanwhile: ask again")
    kept = kept_by(study.definition, of_it, keeping.of_runs(database, [run.run_id for run in of_it]))
    if not kept.by_seed:
        states = ", ".join(sorted({str(run.state) for run in of_it}))
        reason = "an earlier release trained it" if states == RunState.COMPLETE else f"its runs are {states}"
        raise NoWeights(f"{why.rstrip('.')}, of study {study.name!r} has no weights: {reason}")
    return _whole(Chosen(study, why, kept))


def _whole(chosen: Chosen) -> Chosen:
    if all(one.digest is None for one in chosen.kept.by_seed.values()):
        raise NoWeights(f"study {chosen.study.name!r} has no weights of this configuration: {chosen.kept.missing}")
    return chosen


def archive_of(
    database: Database, place: str | None, chosen: Chosen, *, seed: int | None = None, ensemble: bool = False
) -> Iterator[bytes]:
    """The zip of the configuration's files and of `winner.json`, or of one seed; every file is there when it begins.

    Raises:
        NoWeights: a file is not at this place, or there is no such seed.
    """
    if place is None:
        raise NoWeights("this controller has no place of weights: start it with the workers' PERNODEDROP_ARTIFACTS")
    there = {number: one for number, one in chosen.kept.by_seed.items() if one.digest is not None}
    if seed is not None and seed not in there:
        raise NoWeights(f"study {chosen.study.name!r} has weights of seeds {', '.join(map(str, there))}, got {seed}")
    wanted = there if seed is None else {seed: there[seed]}
    root = ArtifactRoot(place, database_id(database))
    first = {number: _begun(root, one) for number, one in wanted.items()}
    manifest = json.dumps(manifest_of(chosen, wanted, ensemble=ensemble), indent=1).encode() + b"\n"
    files = ((_name(number), pieces()) for number, pieces in first.items())
    return zipped(chain([(MANIFEST, [manifest])], files))


def manifest_of(chosen: Chosen, wanted: Mapping[int, Weights], *, ensemble: bool) -> dict[str, Any]:
    """What `winner.json` says: the configuration, its files, and the digests by which the report names them."""
    run = chosen.kept.trial
    return {
        "format": FOLDER_FORMAT,
        "version": FOLDER_VERSION,
        "study": chosen.study.name,
        "why": chosen.why,
        "variant": run.variant,
        "configuration": dict(run.params),
        "task": chosen.study.definition.task.model_dump(mode="json"),
        "digest": chosen.kept.digest,
        "weights": {str(seed): one.digest for seed, one in chosen.kept.by_seed.items()},
        "ensemble": ensemble,
        "files": [
            {"file": _name(seed), "seed": seed, "epoch": one.epoch, "sha256": one.digest, "bytes": one.size}
            for seed, one in wanted.items()
        ],
    }


def _begun(root: ArtifactRoot, one: Weights) -> partial[Iterator[bytes]]:
    """What reads a file that is there."""
    assert one.digest is not None
    try:
        next(iter(root.pieces(one.run_id, one.digest)), b"")
    except MissingPackage:
        raise
    except NoSuchFile as error:
        raise NoWeights(f"{error}: PERNODEDROP_ARTIFACTS of controller and workers must be one place") from error
    except Exception as error:  # a store raises any error
        raise NoWeights(f"the weights at {root.url} cannot be read: {type(error).__name__}: {error}") from error
    return partial(root.pieces, one.run_id, one.digest)


def _name(seed: int) -> str:
    return f"seed-{seed}.safetensors"
