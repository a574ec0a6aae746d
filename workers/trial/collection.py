"""Removes the checkpoints of ended runs: at once by the worker that ended the run, else later by any worker."""

import contextlib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.trial.checkpoints import CheckpointRoot

log = logging.getLogger(__name__)


def discard(root: CheckpointRoot, run_id: int) -> None:
    """Remove the checkpoints of a run that has ended."""
    try:
        files, path = root.opened()
        _remove(files, _ours(root, files.glob(f"{path}/run-{run_id}/*")).get(run_id, []))
    except Exception as error:  # stores raise any error, and the run has ended already
        log.warning("the checkpoints of run %d could not be removed: %s", run_id, error)


def collect(root: CheckpointRoot, open_among: Callable[[Collection[int]], Collection[int]]) -> None:
    """Remove this database's checkpoints of runs that ended without their holder, or whose study was deleted.

    `open_among` returns the runs that have not ended. The root is listed before the database is asked: a run with a
    checkpoint had begun, so if it is not open then, it never will be. A holder that has not noticed the end of its run
    may write once more; the next collection removes that. Other databases' checkpoints stay.
    """
    try:
        files, path = root.opened()
        found = _ours(root, files.glob(f"{path}/run-*/*"))
    except Exception as error:
        log.warning("the checkpoints at %s cannot be listed: %s", root.url, error)
        return
    if not found:
        return
    for run_id in found.keys() - set(open_among(found)):
        try:
            _remove(files, found[run_id])
            log.info("run %d has ended without its holder, its checkpoints are removed", run_id)
        except Exception as error:
            log.warning("the checkpoints of run %d could not be removed: %s", run_id, error)


def _ours(root: CheckpointRoot, paths: Sequence[str]) -> Mapping[int, list[str]]:
    """This database's checkpoints among `paths`, by run, with the drafts of holders that died while they wrote."""
    ours = re.compile(rf"/run-(\d{{1,18}})/\d+-{re.escape(root.database)}\.pt(\.draft)?$")
    found: dict[int, list[str]] = {}
    for path in paths:
        if match := ours.search(path):
            found.setdefault(int(match[1]), []).append(path)
    return found


def _remove(files: Any, paths: Sequence[str]) -> None:
    if not paths:
        return
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # another worker has removed it
            files.rm_file(path)
    if "file" in files.protocol:
        with contextlib.suppress(OSError):  # it also holds another database's
            Path(paths[0]).parent.rmdir()
