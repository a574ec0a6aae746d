"""Removes the checkpoints of ended runs: at once by the worker that ended the run, else later by any worker."""

import logging
import re
from collections.abc import Callable, Collection, Sequence

from service.storage.places import Place
from service.storage.states import storable
from workers.trial.checkpoints import CheckpointRoot

log = logging.getLogger(__name__)

_FOLDER = re.compile(r"run-(\d{1,18})")


def discard(root: CheckpointRoot, run_id: int) -> None:
    """Remove the checkpoints of a run that has ended."""
    try:
        place, folder = root.opened(), f"run-{run_id}"
        _remove(place, folder, _ours(root, place.names(folder)))
    except Exception as error:  # stores raise any error, and the run has ended already
        log.warning("the checkpoints of run %d could not be removed: %s", run_id, storable(str(error)))


def collect(root: CheckpointRoot, open_among: Callable[[Collection[int]], Collection[int]]) -> None:
    """Remove this database's checkpoints of runs that ended without their holder, or whose study was deleted.

    `open_among` returns the runs that have not ended. The root is listed before the database is asked: a run with a
    checkpoint had begun, so if it is not open then, it never will be. A holder that has not noticed the end of its run
    may write once more; the next collection removes that. Other databases' checkpoints stay.
    """
    try:
        place = root.opened()
        found = {
            int(match[1]): ours
            for folder, names in place.all_names().items()
            if (match := _FOLDER.fullmatch(folder)) and (ours := _ours(root, names))
        }
    except Exception as error:
        log.warning("the checkpoints at %s cannot be listed: %s", root.shown, storable(str(error)))
        return
    if not found:
        return
    for run_id in found.keys() - set(open_among(found)):
        try:
            _remove(place, f"run-{run_id}", found[run_id])
            log.info("run %d has ended without its holder, its checkpoints are removed", run_id)
        except Exception as error:
            log.warning("the checkpoints of run %d could not be removed: %s", run_id, storable(str(error)))


def _ours(root: CheckpointRoot, names: Sequence[str]) -> list[str]:
    """This database's checkpoints among `names`, with the drafts of holders that died while they wrote."""
    ours = re.compile(rf"\d+-{re.escape(root.database)}\.pt(\.[0-9a-f]+)?(\.draft)?")
    return [name for name in names if ours.fullmatch(name)]


def _remove(place: Place, folder: str, names: Sequence[str]) -> None:
    if names:
        place.remove(folder, names)
