"""Checkpoints: the state from which a run's next holder resumes the training."""

import contextlib
import hashlib
import io
import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from service.storage.places import Place, place_of
from service.storage.states import storable

log = logging.getLogger(__name__)

_MAGIC = b"pernodedrop checkpoint 2\n"
_DIGEST_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + 2 * _DIGEST_BYTES  # then the fingerprint, a digest of it and the rest, the rest
_NAME = re.compile(r"(\d{1,18})(?:-(.+))?\.pt")  # early releases named no database


class NotACheckpoint(Exception):
    """The file is damaged, or is none of ours."""


@dataclass(frozen=True)
class CheckpointRoot:
    """Where the checkpoints of a database's runs lie: in a folder or at any fsspec URL (s3://bucket/path, ...).

    Other databases may keep theirs in the same place, of runs with the same numbers: a file's name has its database.
    Those of the databases in `adopts` are used where the same is trained; those of others are left alone.
    """

    url: str
    database: str  # as `service.storage.fleet.ownership.database_id` names it
    adopts: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The URL without the user and password that it may have, for messages."""
        return re.sub(r"//[^/@]*@", "//", self.url)

    def opened(self) -> Place:
        """The place itself."""
        return place_of(self.url)


@dataclass(frozen=True)
class Fingerprint:
    """What is trained.

    `ordered` is the order alone: task, configuration, seeds and repeats. It is all that the checkpoints of earlier
    releases have. `code` names the program of a user's own task. `data` returns a digest of the data set; it is called
    once, when there is something to compare or to write, since it reads all data.
    """

    ordered: str
    code: str = ""
    data: Callable[[], str] = str

    @cached_property
    def whole(self) -> bytes:
        """32 bytes for order, code and data together."""
        return hashlib.sha256(repr((self.ordered, self.code, self.data())).encode()).digest()


@dataclass(frozen=True)
class CheckpointStore:
    """One run's checkpoints.

    Every holder writes a separate file, named by its token, and a new holder reads the newest: a stale holder that
    still writes does no harm. `fingerprint` says what is trained, and a checkpoint of something else is skipped. So is
    one that is damaged, with a warning.
    """

    root: CheckpointRoot
    run_id: int
    token: int
    fingerprint: Fingerprint

    def save(self, state: dict[str, Any]) -> bool:
        """Replace this holder's checkpoint in one step; returns False, with a warning, if it cannot be written."""
        import torch

        buffer = io.BytesIO(bytes(_HEAD_BYTES))
        buffer.seek(_HEAD_BYTES)
        torch.save({"state": state}, buffer)
        try:
            sealed = _sealed(buffer, self.fingerprint.whole)
            self.root.opened().write(self._folder, f"{self.token:08d}-{self.root.database}.pt", sealed)
        except Exception as error:  # a full disk must not end a healthy training, and stores raise any error
            log.warning(_UNWRITTEN, self.run_id, storable(self.root.shown), storable(str(error)))
            return False
        return True

    def load(self) -> dict[str, Any] | None:
        """Return the newest readable state, this database's own first, or None: training starts again."""
        try:
            place = self.root.opened()
            names = place.names(self._folder)
        except Exception as error:
            log.warning("the checkpoints of run %d cannot be listed: %s", self.run_id, storable(str(error)))
            return None
        found = sorted(self._usable(names), reverse=True)
        for _, _, name in found:
            try:
                state = self._read(place, name)
            except Exception as error:  # incomplete, damaged or gone: try an older one
                log.warning(
                    "checkpoint %s of run %d is not used: %s", storable(name), self.run_id, storable(str(error))
                )
                continue
            if state is not None:
                return state
        self._point_to_others(place, names)
        return None

    @property
    def _folder(self) -> str:
        return f"run-{self.run_id}"

    def _usable(self, names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """The checkpoints that may be used: how near their database is, token and name."""
        for name in names:
            if (match := _NAME.fullmatch(name)) is None:
                continue
            if match[2] == self.root.database:
                yield 2, int(match[1]), name
            elif match[2] is None:
                yield 1, int(match[1]), name
            elif match[2] in self.root.adopts:
                yield 0, int(match[1]), name

    def _read(self, place: Place, name: str) -> dict[str, Any] | None:
        """The state in a file, None if something else was trained.

        Raises:
            NotACheckpoint: it is damaged.
            Any error of the place.
        """
        head = place.read(self._folder, name, _HEAD_BYTES)
        if head.startswith(b"PK"):
            kept = _unsealed_before(place.read(self._folder, name))
            theirs, ours = kept.get("fingerprint"), self.fingerprint.ordered
        elif _fingerprint(head) == self.fingerprint.whole:
            kept = unsealed(place.read(self._folder, name))
            theirs = ours = None
        else:
            return None
        state = kept.get("state")
        if not isinstance(state, dict):
            raise NotACheckpoint("it holds no state of a training")
        return state if theirs == ours else None

    def _point_to_others(self, place: Place, names: Sequence[str]) -> None:
        """Say which database has a checkpoint of the same training, which this one may not use."""
        usable = {name for *_, name in self._usable(names)}
        for name in names:
            if name in usable or (match := _NAME.fullmatch(name)) is None:
                continue
            with contextlib.suppress(Exception):  # it is not ours to complain about
                if _fingerprint(place.read(self._folder, name, _HEAD_BYTES)) == self.fingerprint.whole:
                    owner = storable(match[2])
                    log.warning(_HINT, self.run_id, owner, owner)
                    return


_UNWRITTEN = (
    "run %d has no new checkpoint at %s: %s; it trains on, and another worker would begin anew or at an older one: "
    "make room there, or let the worker write there"
)
_HINT = (
    "run %d begins anew: database %s has a checkpoint of the same training. If this database is its successor, start "
    "the workers with --adopt-checkpoints %s"
)


def unsealed(data: bytes) -> dict[str, Any]:
    """The content of a checkpoint's file.

    Raises:
        NotACheckpoint: a bit of it has changed, it is incomplete, or holds more than tensors, numbers and texts.
    """
    fingerprint = _fingerprint(data)
    if _digest(fingerprint, memoryview(data)[_HEAD_BYTES:]) != data[_HEAD_BYTES - _DIGEST_BYTES : _HEAD_BYTES]:
        raise NotACheckpoint("it is damaged: its content does not fit its digest")
    return _loaded(io.BytesIO(memoryview(data)[_HEAD_BYTES:]))


def _unsealed_before(data: bytes) -> dict[str, Any]:
    """The content of a file of an earlier release, which has torch's checksums only."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as records:
            damaged = records.testzip()
    except Exception as error:
        raise NotACheckpoint(f"it is damaged: {error}") from error
    if damaged is not None:
        raise NotACheckpoint(f"it is damaged: {damaged} does not fit its checksum")
    return _loaded(io.BytesIO(data))


def _loaded(payload: io.BytesIO) -> dict[str, Any]:
    import torch

    try:
        kept = torch.load(payload, map_location="cpu", weights_only=True)
    except Exception as error:
        raise NotACheckpoint(str(error)) from error
    if not isinstance(kept, dict):
        raise NotACheckpoint("it holds no state of a training")
    return kept


def _sealed(buffer: io.BytesIO, fingerprint: bytes) -> memoryview:
    """The buffer with its head filled in."""
    data = buffer.getbuffer()
    data[:_HEAD_BYTES] = _MAGIC + fingerprint + _digest(fingerprint, data[_HEAD_BYTES:])
    return data


def _digest(fingerprint: bytes, payload: memoryview) -> bytes:
    digest = hashlib.blake2b(fingerprint, digest_size=_DIGEST_BYTES)
    digest.update(payload)
    return digest.digest()


def _fingerprint(head: bytes) -> bytes:
    if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
        raise NotACheckpoint("it is no checkpoint, or incomplete")
    return head[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES]
