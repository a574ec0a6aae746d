"""Weights after everything: every digest in the database has its file, and no other file lives on."""

from pathlib import Path

from service.storage import artifacts
from service.storage.artifacts import ArtifactRoot
from service.storage.database.database import Database
from service.storage.fleet.ownership import database_id
from service.storage.runs import keeping
from service.storage.studies import studies


def weights_of(db: Database, place: Path) -> tuple[int, list[str]]:
    """How many files are named, and what is wrong: a file that is missing or damaged, or that no row names."""
    root = ArtifactRoot(str(place), database_id(db))
    kept = [
        one
        for study in studies.page(db, 1000)
        for of_run in keeping.of_study(db, study.id).values()
        for one in of_run
        if one.digest is not None
    ]
    wrong = [f"run {one.run_id} has not its file" for one in kept if not root.has(one.run_id, str(one.digest))]
    artifacts.collect(root, lambda runs: keeping.named_among(db, runs))
    named = {(f"run-{one.run_id}", one.digest) for one in kept}
    for file in place.glob("run-*/*"):
        digest = file.name.removesuffix(artifacts.SUFFIX).rpartition("-")[2]
        if (file.parent.name, digest) not in named:
            wrong.append(f"{file.parent.name}/{file.name} lives on")
    return len(kept), wrong
