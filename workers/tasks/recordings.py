"""Recordings of spoken words, <word>/<speaker>_nohash_<n>.wav, and splits that have no speaker in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.tasks.errors import DataUnavailable

VALIDATION_LIST, TESTING_LIST = "validation_list.txt", "testing_list.txt"
LARGEST_LIST = 16 * 2**20  # bytes; that of the full Speech Commands has 250 kB
TEST_SHARE, VALIDATION_SHARE = 0.15, 0.3
TEST_SEED = 1804  # these speakers are never used for training or selection, whatever the split_seed

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Recording:
    """One clip."""

    word: str
    file: str  # its name inside the word's folder
    size: int  # bytes

    @property
    def name(self) -> str:
        return f"{self.word}/{self.file}"

    @property
    def speaker(self) -> str:
        """The speaker; a file name without one counts as a separate speaker."""
        speaker, known, _ = self.file.partition("_nohash_")
        return speaker if known else self.name


@dataclass(frozen=True)
class Sides:
    """Ascending indices of the recordings on each side."""

    train: Indices
    val: Indices
    test: Indices


def find_recordings(folder: Path) -> list[Recording]:
    """The clips of every word in `folder`, by name; a folder like _background_noise_ is not a word.

    Raises:
        DataUnavailable: there are fewer than two words.
    """
    paths = sorted(path for path in folder.glob("*/*.wav") if path.parent.name[0] not in "._")
    recordings = [Recording(path.parent.name, path.name, path.stat().st_size) for path in paths]
    words = {recording.word for recording in recordings}
    if len(words) < 2:
        raise DataUnavailable(
            f"{folder} holds the recordings (<word>/*.wav) of {len(words)} words, at least 2 are needed: "
            "remove the folder to have it fetched anew"
        )
    return recordings


def sides(recordings: Sequence[Recording], folder: Path, split_seed: int) -> Sides:
    """The recordings for training, validation and test, by speaker.

    The speakers of validation_list.txt validate, or without that file 30 % of those who do not test, by `split_seed`.
    The speakers of testing_list.txt test, or without that file 15 % of the others, always the same.

    Raises:
        DataUnavailable: a list that cannot be read or names no recording, or too few speakers for three sides.
    """
    speakers = np.array([recording.speaker for recording in recordings])
    listed_val = _listed_speakers(recordings, folder / VALIDATION_LIST)
    listed_test = _listed_speakers(recordings, folder / TESTING_LIST)
    test = np.isin(speakers, listed_test)
    val = np.isin(speakers, listed_val) & ~test
    if not listed_test:
        test = _drawn(speakers, ~val, TEST_SHARE, TEST_SEED)
    if not listed_val:
        val = _drawn(speakers, ~test, VALIDATION_SHARE, split_seed)
    found = Sides(*(np.flatnonzero(side) for side in (~val & ~test, val, test)))
    if not all(map(len, (found.train, found.val, found.test))):
        raise DataUnavailable(
            f"{folder} has too few speakers for three sides: {len(found.train)} recordings to train, "
            f"{len(found.val)} to validate, {len(found.test)} to test"
        )
    return found


def _listed_speakers(recordings: Sequence[Recording], file: Path) -> list[str]:
    if not file.exists():
        return []
    try:
        if file.stat().st_size > LARGEST_LIST:
            raise DataUnavailable(f"{file} is larger than {LARGEST_LIST} bytes: it is no list of recordings")
        names = set(file.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise DataUnavailable(f"{file} cannot be read ({error}): repair it, or remove it for a random split") from error
    speakers = sorted({recording.speaker for recording in recordings if recording.name in names})
    if not speakers:
        raise DataUnavailable(f"{file} names none of the recordings beside it: remove it for a random split")
    return speakers


def _drawn(speakers: NDArray[np.str_], among: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
    """The recordings, as a mask, of random speakers who together have at most `share` of those `among`."""
    names, counts = np.unique(speakers[among], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    taken = np.cumsum(counts[order]) <= share * counts.sum()
    return among & np.isin(speakers, names[order][taken])
