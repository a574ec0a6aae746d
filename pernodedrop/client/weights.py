"""A folder of weights: made whole from the controller's zip, in place of an earlier one or not at all."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from pernodedrop.client.wire import PATIENT, Request

MANIFEST = "winner.json"
MOST_WEIGHTS = 1 << 40  # bytes: they go to a file, and only its disk is the limit
_OURS = re.compile(r"winner\.json|(seed-\d+|ensemble)\.(safetensors|pt2|onnx|onnx\.data)")


class Which(TypedDict, total=False):
    """The configuration whose weights are meant, and which of them; None leaves one out."""

    trial: int | None
    confirmation: int | None
    seed: int | None
    ensemble: bool | None


class NotWhole(Exception):
    """The controller's answer is no whole zip of weights."""


def request(path: str, which: Which) -> Request:
    """What is asked of the controller at the path."""
    params: dict[str, Any] = {name: value for name, value in which.items() if value is not None}
    return Request("GET", path, params=params, timeout=PATIENT, most_bytes=MOST_WEIGHTS, is_file=True)


@contextmanager
def written(output: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A folder to be filled, and a file for the zip; at the end the folder comes to its place, whole.

    Only an earlier folder of weights is replaced, and only where it has nothing else.

    Raises:
        FileExistsError: something else is at the place.
        OSError: it cannot be written there.
    """
    folder = Path(os.path.realpath(output))
    _check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as draft:
        made = Path(draft) / "model"
        made.mkdir()
        with tempfile.TemporaryFile(dir=draft) as archive:
            yield made, archive
        _check_free(folder)
        _put(made, folder)


def unpack(archive: BinaryIO, folder: Path) -> list[str]:
    """Write the zip's files, whose digests must be those of the manifest, and return their names.

    Raises:
        NotWhole: they are not, or it is no such zip.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            manifest = opened.read(MANIFEST)
            files = [(str(one["file"]), str(one["sha256"])) for one in json.loads(manifest)["files"]]
            for name, digest in files:
                _write(opened, name, digest, folder)
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotWhole(f"the controller's answer is no whole zip of weights ({error}): try again") from error
    (folder / MANIFEST).write_bytes(manifest)
    return [MANIFEST, *(name for name, _ in files)]


def _check_free(folder: Path) -> None:
    there = sorted(os.listdir(folder)) if folder.is_dir() else None  # noqa: PTH208 (names)
    if there is None:
        if os.path.lexists(folder):
            raise FileExistsError(f"{folder} is no folder")
        return
    if folder == Path.cwd():
        raise FileExistsError(f"{folder} is the folder that this runs in: name a new one")
    if there and MANIFEST not in there:
        raise FileExistsError(f"{folder} is there and has no {MANIFEST}")
    if other := [name for name in there if not _OURS.fullmatch(name)]:
        raise FileExistsError(f"{folder} has other files beside the weights: {', '.join(other[:3])}")


def _write(opened: zipfile.ZipFile, name: str, digest: str, folder: Path) -> None:
    if Path(name).name != name or name.startswith("."):
        raise ValueError(f"{name!r} is no plain file name")
    found = hashlib.sha256()
    with opened.open(name) as source, (folder / name).open("wb") as target:
        while piece := source.read(2**20):
            found.update(piece)
            target.write(piece)
    if found.hexdigest() != digest:
        raise ValueError(f"the SHA-256 of {name} is not the one in the database")


def _put(made: Path, folder: Path) -> None:
    """Bring the folder to its place, whole, instead of an earlier one."""
    earlier = made.parent / "earlier"
    if folder.exists():
        folder.replace(earlier)
    try:
        made.replace(folder)
    except OSError:
        if earlier.exists():
            earlier.replace(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
