"""Checkpoints: what a run's next holder needs to carry on where the last one was."""

import io
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointStore:
    """One run's checkpoints in a folder or at any fsspec URL (s3://bucket/path, ...).

    Every holder writes a file of its own, named by its token, and a new holder reads the newest: what a stale
    holder still writes harms nobody. `fingerprint` says what is being trained; a checkpoint of something else,
    such as of another database's run of the same number, is passed over.
    """

    url: str
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
        """Return the newest state that can be read, or None: training starts anew."""
        import torch

        files, folder = self._open()
        try:
            paths = sorted(files.glob(f"{folder}/*.pt"), reverse=True)
        except OSError as error:
            log.warning("the checkpoints of run %d cannot be listed: %s", self.run_id, error)
            return None
        for path in paths:
            try:
                kept = torch.load(io.BytesIO(files.cat_file(path)), weights_only=True)
            except Exception as error:  # torn, foreign or gone: an older one may do
                log.warning("checkpoint %s cannot be read: %s", path, error)
                continue
            if kept.get("fingerprint") == self.fingerprint:
                state: dict[str, Any] = kept["state"]
                return state
        return None

    def _open(self) -> tuple[Any, str]:
        return _folder(self.url, self.run_id)

    def _write(self, data: memoryview) -> None:
        files, folder = self._open()
        name = f"{folder}/{self.token:08d}.pt"
        if "file" not in files.protocol:
            files.pipe_file(name, bytes(data))  # object stores show a file when it is whole
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        draft = Path(f"{name}.draft")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(name)


def discard(url: str, run_id: int) -> None:
    """Remove a run's checkpoints: it has ended."""
    try:
        files, folder = _folder(url, run_id)
        if files.exists(folder):
            files.rm(folder, recursive=True)
    except Exception as error:  # stores raise what they like, and the run has ended already
        log.warning("the checkpoints of run %d could not be removed: %s", run_id, error)


def unusable(url: str | None) -> str | None:
    """Why no checkpoints can be kept at `url`, such as a protocol nobody knows here; None if they can."""
    try:
        if url is not None:
            fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        return str(error)
    return None


def _folder(url: str, run_id: int) -> tuple[Any, str]:
    files, root = fsspec.core.url_to_fs(url)
    return files, f"{root}/run-{run_id}"
