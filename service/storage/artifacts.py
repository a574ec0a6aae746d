"""Where weights lie: a file for each seed of a run, named by its content, in a folder or at an fsspec URL.

The name is the digest of the content, and the database knows the digests that count. So a file that a stale holder has
left is never taken for another, equal ones are one, and what no row names is removed.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.storage.places import Place, place_of
from service.storage.states import storable

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
# Of a configuration's files in one folder or zip.
MANIFEST, FOLDER_FORMAT, FOLDER_VERSION = "winner.json", "pernodedrop winner", 1
DIGEST = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"run-(\d{1,18})")


class NoSuchFile(Exception):
    """The place has no file of this content."""


@dataclass(frozen=True)
class ArtifactRoot:
    """Where the weights of a database's runs lie. Other databases may keep theirs in the same place."""

    url: str
    database: str  # as `service.storage.fleet.ownership.database_id` names it

    def opened(self) -> Place:
        """The place itself."""
        return place_of(self.url)

    def write(self, run_id: int, seed: int, data: bytes) -> str:
        """Write the weights of a run's seed in one step and return their digest.

        Raises:
            Any error of the place.
        """
        digest = hashlib.sha256(data).hexdigest()
        name = f"{seed}-{self.database}-{digest}{SUFFIX}"
        self.opened().write(folder_of(run_id), name, memoryview(data))
        return digest

    def has(self, run_id: int, digest: str) -> bool:
        """Whether the run's file of this digest is there, undamaged; it is read whole.

        Raises:
            Any error of the place.
        """
        try:
            return digest_of(self.pieces(run_id, digest)) == digest
        except NoSuchFile:
            return False

    def pieces(self, run_id: int, digest: str) -> Iterator[bytes]:
        """The bytes of the run's file of this digest, a piece at a time, whichever database it was written for.

        Raises:
            NoSuchFile: there is none.
            Any error of the place.
        """
        place, folder = self.opened(), folder_of(run_id)
        name = next((name for name in place.names(folder) if name.endswith(f"-{digest}{SUFFIX}")), None)
        if name is None:
            raise NoSuchFile(f"no file of the weights {digest[:12]} of run {run_id} is at {self.url}")
        return place.pieces(folder, name)


def folder_of(run_id: int) -> str:
    return f"run-{run_id}"


def digest_of(pieces: Iterable[bytes]) -> str:
    """SHA-256 of the bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def discard(root: ArtifactRoot, run_id: int, named: Collection[str]) -> None:
    """Remove the files of a run that has ended but those with a digest in `named`."""
    try:
        place, folder = root.opened(), folder_of(run_id)
        _remove(place, folder, _unnamed(root, place.names(folder), named))
    except Exception as error:  # stores raise any error, and the run has ended already
        log.warning("the weights of run %d could not be removed: %s", run_id, storable(str(error)))


def collect(root: ArtifactRoot, named_among: Callable[[Collection[int]], Mapping[int, Collection[str] | None]]) -> None:
    """Remove this database's files that no run names: of runs that ended without their holder, or were deleted.

    `named_among` returns, for the runs that are there, the digests that each names; None for a run that has not ended,
    whose files stay. The root is listed before the database is asked, so that a file which a run has come to name
    meanwhile is not taken for an orphan. Other databases' files stay.
    """
    try:
        place = root.opened()
        found = {
            int(match[1]): names
            for folder, names in place.all_names().items()
            if (match := _FOLDER.fullmatch(folder)) and _unnamed(root, names, ())
        }
    except Exception as error:
        log.warning("the weights at %s cannot be listed: %s", root.url, storable(str(error)))
        return
    known = named_among(found) if found else {}
    for run_id, names in found.items():
        named = known.get(run_id, ())
        try:
            if named is not None and (left := _unnamed(root, names, named)):
                _remove(place, folder_of(run_id), left)
                log.info("%d files of run %d that no row names are removed", len(left), run_id)
        except Exception as error:
            log.warning("the weights of run %d could not be removed: %s", run_id, storable(str(error)))


def _unnamed(root: ArtifactRoot, names: Iterable[str], named: Collection[str]) -> list[str]:
    """This database's files among `names` with another digest, and the drafts of holders that died as they wrote."""
    ours = re.compile(rf"\d+-{re.escape(root.database)}-([0-9a-f]{{64}}){re.escape(SUFFIX)}(\.[0-9a-f]+\.draft)?")
    matches = (ours.fullmatch(name) for name in names)
    return [match[0] for match in matches if match and (match[2] or match[1] not in named)]


def _remove(place: Place, folder: str, names: list[str]) -> None:
    if names:
        place.remove(folder, names)
