"""Checkpoints: the state from which a run's next holder resumes the training."""

import io
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointRoot:
    """Where the checkpoints of a database's runs lie: in a folder or at any fsspec URL (s3://bucket/path, ...).

    Other databases may keep theirs in the same place, of runs with the same numbers: a file's name has its database.
    """

    url: str
    database: str  # as `service.storage.fleet.ownership.database_id` names it

    def opened(self) -> tuple[Any, str]:
        """The file system and the path in it, without a stale cache."""
        files, path = fsspec.core.url_to_fs(self.url)
        files.invalidate_cache()
        return files, path


@dataclass(frozen=True)
class CheckpointStore:
    """One run's checkpoints.

    Every holder writes a separate file, named by its token, and a new holder reads the newest: a stale holder that
    still writes does no harm. `fingerprint` identifies what is trained. A checkpoint of something else, for example of
    another database's run of the same number, is skipped. One with the same fingerprint is used: a database that was
    moved has another name.
    """

    root: CheckpointRoot
    run_id: int
    token: int
    fingerprint: str

    def save(self, state: dict[str, Any]) -> bool:
        """Replace this holder's checkpoint in one step; returns False, with a warning, if it cannot be written."""
        import torch

        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "state": state}, buffer)
        try:
            self._write(buffer.getbuffer())
        except OSError as error:  # a full disk must not end a healthy training
            log.warning("run %d has no new checkpoint: %s", self.run_id, error)
            return False
        return True

    def load(self) -> dict[str, Any] | None:
        """Return the newest readable state, this database's own first, or None: training starts again."""
        import torch

        files, folder = self._open()
        try:
            paths = sorted(files.glob(f"{folder}/*.pt"), key=self._age)
        except OSError as error:
            log.warning("the checkpoints of run %d cannot be listed: %s", self.run_id, error)
            return None
        for path in reversed(paths):
            try:
                kept = torch.load(io.BytesIO(files.cat_file(path)), weights_only=True)
            except Exception as error:  # incomplete, foreign or gone: try an older one
                log.warning("checkpoint %s cannot be read: %s", path, error)
                continue
            if kept.get("fingerprint") == self.fingerprint:
                state: dict[str, Any] = kept["state"]
                return state
        return None

    def _age(self, path: str) -> tuple[bool, str]:
        return path.endswith(f"-{self.root.database}.pt"), path

    def _open(self) -> tuple[Any, str]:
        files, path = self.root.opened()
        return files, f"{path}/run-{self.run_id}"

    def _write(self, data: memoryview) -> None:
        files, folder = self._open()
        name = f"{folder}/{self.token:08d}-{self.root.database}.pt"
        if "file" not in files.protocol:
            files.pipe_file(name, bytes(data))  # object stores show a file only when it is complete
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        draft = Path(f"{name}.draft")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(name)


def unusable(url: str | None) -> str | None:
    """The reason why `url` can keep no checkpoints, for example an unknown protocol; None if it can."""
    try:
        if url is not None:
            fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        return str(error)
    return None
