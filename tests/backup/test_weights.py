"""A dump takes the weights along that it names, of one moment, and a restored database has them as its own."""

from pathlib import Path

import sqlalchemy as sa

from service.storage.artifacts import ArtifactRoot
from service.storage.database.database import Database
from service.storage.dumps.weights import Named, with_weights
from service.storage.embedded import EmbeddedPostgres
from service.storage.fleet.ownership import database_id
from service.storage.studies import studies
from tests.backup.conftest import Run
from tests.storage.conftest import make_definition

_RUNS = sa.text("SELECT id FROM fleet.runs ORDER BY id")
_ROW = sa.text("INSERT INTO fleet.weights (run_id, repeat, epoch, digest, size) VALUES (:run, :repeat, 1, :digest, 3)")


def kept(db: Database, root: ArtifactRoot, each: int) -> list[Named]:
    """Two runs' weights, so many files of each run, in the database and at the root."""
    studies.create(db, make_definition("s", trials=2))
    with db.engine.begin() as connection:
        runs = connection.execute(_RUNS).scalars().all()
        found = [
            Named(run, repeat, root.write(run, repeat, f"{run} {repeat}".encode()))
            for run in runs
            for repeat in range(each)
        ]
        rows = [{"run": one.run_id, "repeat": one.repeat, "digest": one.digest} for one in found]
        connection.execute(_ROW, rows)
    return found


def test_weights_go_with_the_dump_and_are_the_restored_databases_own(
    db: Database, home: Path, run: Run, tmp_path: Path
) -> None:
    ours = ArtifactRoot(str(home / "artifacts"), database_id(db))
    files = kept(db, ours, each=2)
    (home / "artifacts" / "run-77").mkdir()
    (home / "artifacts" / "run-77" / "0-x-orphan.safetensors").write_bytes(b"no row names it")
    dump, folder = tmp_path / "dump", tmp_path / "weights"
    assert "must be another place" in run("db", "dump", str(dump), "--artifacts", ours.url, url=db.url).stderr
    for new in ("0.0 MB are new", "0.0 MB are new"):  # and again, where all is there
        made = run("db", "dump", str(dump), "--artifacts", str(folder), url=db.url)
        assert made.returncode == 0, made.stderr
        assert f"4 files of weights, {new}" in made.stdout
    assert sorted(path.name for path in folder.iterdir()) == sorted({f"run-{one.run_id}" for one in files})
    (home / "artifacts").rename(home / "gone")
    spoilt = next((folder / f"run-{files[0].run_id}").iterdir())
    spoilt.write_bytes(b"spoilt")
    restored = run("db", "restore", str(dump), "--artifacts", str(folder))
    assert restored.returncode == 1
    assert f"1 files of weights are missing or damaged in {folder}, of the runs {files[0].run_id}" in restored.stderr
    with EmbeddedPostgres(home / "postgres") as server, Database.open(server.start()) as moved:
        mine = ArtifactRoot(ours.url, database_id(moved))
        assert mine.database != ours.database
        assert studies.get(moved, "s").name == "s"
        there = [mine.has(one.run_id, one.digest) for one in files]
        lost = next(place for place, one in enumerate(files) if one.digest in spoilt.name)
        assert there == [place != lost for place in range(len(files))]
        names = {path.name for path in (home / "artifacts").glob("run-*/*")}
        assert len(names) == 3
        assert all(f"-{mine.database}-" in name for name in names)  # so it removes them when no row names them


def test_weights_that_are_replaced_while_they_are_copied_are_of_one_moment(db: Database, tmp_path: Path) -> None:
    source, target = (ArtifactRoot(str(tmp_path / name), database_id(db)) for name in ("source", "target"))
    files = kept(db, source, each=75)
    last = files[-1]
    told = []

    def replaced(text: str) -> None:
        """A worker replaces the last weights when most are copied."""
        told.append(text)
        if len(told) == 1:
            with db.engine.begin() as connection:
                better = source.write(last.run_id, last.repeat, b"better")
                connection.execute(
                    sa.text("UPDATE fleet.weights SET digest = :new WHERE digest = :old"),
                    {"new": better, "old": last.digest},
                )
            source.opened().remove(
                f"run-{last.run_id}",
                [name for name in source.opened().names(f"run-{last.run_id}") if last.digest in name],
            )

    with with_weights(db, source, target, replaced) as (snapshot, copied), db.engine.connect() as other:
        other.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        other.execute(sa.text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))
        seen = other.execute(sa.text("SELECT run_id, digest FROM fleet.weights")).all()
        assert (copied.files, copied.lacking, len(seen)) == (150, (), 150)
        assert all(target.has(run, digest) for run, digest in seen)
        assert last.digest not in {digest for _, digest in seen}
