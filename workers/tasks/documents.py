"""Documents with several topics each, from multi-label svmlight files or scikit-learn's fetch_rcv1."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.datasets import fetch_rcv1, load_svmlight_file

from workers.tasks.errors import DataUnavailable
from workers.tasks.fetching import require_fetching
from workers.tasks.locks import alone
from workers.tasks.progress import waiting

WORDS, TOPICS = 47_236, 103  # of RCV1-v2 (Lewis, Yang, Rose, Li 2004)
TRAIN_FILE, TEST_FILE = "rcv1_topics_train.svm", "rcv1_topics_test.svm"
LYRL2004_TRAIN = 23_149  # the first documents of fetch_rcv1, those of August 1996


@dataclass(frozen=True)
class Documents:
    """N documents as read."""

    words: Any  # scipy CSR (N, 47236), float32
    topics: Any  # scipy CSR (N, 103), ones

    def chosen(self, documents: NDArray[np.bool_]) -> "Documents":
        """Those where the mask (N,) is True."""
        return Documents(self.words[documents], self.topics[documents])


def read_documents(folder: Path) -> tuple[Documents, Documents]:
    """The training and the test documents: of the two files if one of them is in `folder`, else of fetch_rcv1.

    Raises:
        DataUnavailable: a file is missing or has another format, or there is neither a file nor a network.
    """
    train, test = folder / TRAIN_FILE, folder / TEST_FILE
    if train.exists() or test.exists():
        return read_svmlight(train), read_svmlight(test)
    return _fetched(folder)


def read_svmlight(path: Path) -> Documents:
    """The documents of a file with lines "topic,topic word:value word:value ...", topics from 0, words from 1.

    Raises:
        DataUnavailable: the file is missing or has another format.
    """
    try:
        words, topics = load_svmlight_file(
            str(path), n_features=WORDS, dtype=np.float32, multilabel=True, zero_based=False
        )
        if not np.isfinite(words.data).all():
            raise ValueError("a value is not finite")
        return Documents(words, _indicators(topics))
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise DataUnavailable(
            f"{path} cannot be read ({reason}): it must be a multi-label svmlight file of {WORDS} words "
            f"(from 1) and {TOPICS} topics (from 0)"
        ) from error


def _indicators(topics: Sequence[tuple[float, ...]]) -> csr_array:
    columns = np.array([topic for named in topics for topic in named])
    if len(columns) and not (np.isin(columns, np.arange(TOPICS)).all()):
        raise ValueError(f"topics must be whole numbers from 0 to {TOPICS - 1}")
    bounds = np.cumsum([0, *map(len, topics)])
    return csr_array((np.ones(len(columns), np.int8), columns.astype(np.int64), bounds), shape=(len(topics), TOPICS))


def _fetched(folder: Path) -> tuple[Documents, Documents]:
    """scikit-learn downloads 656 MB, verifies them and keeps them in `folder`/RCV1."""
    if not (folder / "RCV1").is_dir():
        require_fetching(str(folder / TRAIN_FILE), 656)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / ".RCV1.lock"), waiting("RCV1, 656 MB when fetched for the first time"):
            x, y = fetch_rcv1(data_home=folder, return_X_y=True)
    except MemoryError:
        raise
    except Exception as error:  # no network, or a damaged file, which raises nearly any error
        raise DataUnavailable(
            f"{folder / TRAIN_FILE} is missing and fetch_rcv1 of scikit-learn did not succeed "
            f"({' '.join(str(error).split())}): put {TRAIN_FILE} and {TEST_FILE} into {folder}"
        ) from error
    x = x.astype(np.float32)
    train, test = slice(LYRL2004_TRAIN), slice(LYRL2004_TRAIN, None)
    return Documents(x[train], y[train]), Documents(x[test], y[test])
