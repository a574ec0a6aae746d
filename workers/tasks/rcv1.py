"""rcv1: newswire documents as TF-IDF vectors of 47,236 words, several topics each (RCV1-v2, Lewis et al. 2004)."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pernodedrop.objectives import Outputs
from search_spaces import TaskSpec, TrialConfig
from workers.tasks.backbones import backbone_option, text_backbone
from workers.tasks.base import Splits, Task
from workers.tasks.documents import WORDS, Documents, read_documents
from workers.tasks.errors import DataUnavailable
from workers.tasks.metrics import multi_label
from workers.tasks.options import check_options
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.splitting import Partition

CHOSEN = 25  # topics

Targets = NDArray[np.float32]  # (N, 25), zeros and ones


class Rcv1(Task):
    """The 25 most frequent topics of the training file, the most frequent first; the test file to test.

    All documents stay, including those with none of these topics. `units` is the width of the second slot, the first
    has twice as many. 128 gives the paper's network.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed"))
        backbone_option(spec, ("paper",))
        self._partition = Partition.of(spec)

    def load(self, device: torch.device) -> Splits:
        """Sparse documents (N, 47236) and their topics (N, 25); splits stratified by the most frequent topic."""
        pool, test = read_documents(self.data_folder)
        topics = most_frequent_topics(pool)
        targets = _targets(pool, topics)
        train, val = self._partition.indices(first_topic(targets))

        def y(values: Targets) -> Tensor:
            return torch.from_numpy(values).to(device)

        return Splits(
            train_x=SparseRows.from_scipy(pool.words[train], device),
            train_y=y(targets[train]),
            val_x=SparseRows.from_scipy(pool.words[val], device),
            val_y=y(targets[val]),
            test_x=SparseRows.from_scipy(test.words, device),
            test_y=y(_targets(test, topics)),
        )

    @property
    def outputs(self) -> Outputs:
        """A logit for every topic."""
        return "sigmoid"

    def build(self, config: TrialConfig) -> nn.Module:
        return text_backbone(WORDS, CHOSEN, config)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The binary cross-entropy, averaged over documents and topics."""
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def smoothed_loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """The loss of targets moved towards 1/2, the mean of a topic's two classes."""
        return self.loss(outputs, targets * (1.0 - smoothing) + smoothing / 2.0)

    def combined(self, outputs: Tensor) -> Tensor:
        """The logit of the mean sigmoid of logits (S, B, topics)."""
        true, false = (nn.functional.logsigmoid(sign * outputs).logsumexp(0) for sign in (1, -1))
        return true - false

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Accuracy, micro_f1, ece and brier: see `workers.tasks.metrics.multi_label`."""
        return multi_label(outputs, targets)


def most_frequent_topics(documents: Documents) -> NDArray[np.int64]:
    """The columns of the 25 topics that most documents have, the most frequent first, ties by column.

    Raises:
        DataUnavailable: fewer topics occur.
    """
    counts = np.asarray(documents.topics.sum(axis=0, dtype=np.int64)).ravel()
    if np.count_nonzero(counts) < CHOSEN:
        raise DataUnavailable(
            f"the training documents have {np.count_nonzero(counts)} topics, {CHOSEN} are needed: take more documents"
        )
    return np.argsort(-counts, kind="stable")[:CHOSEN]


def first_topic(targets: Targets) -> NDArray[np.int64]:
    """The most frequent of each document's topics, 25 where it has none."""
    return np.where(targets.any(axis=1), targets.argmax(axis=1), CHOSEN)


def _targets(documents: Documents, topics: NDArray[np.int64]) -> Targets:
    targets: Targets = documents.topics[:, topics].toarray().astype(np.float32)
    return targets
