"""rcv1: newswire documents as TF-IDF vectors of 47,236 words, several topics each (RCV1-v2, Lewis et al. 2004)."""

from collections.abc import Sequence
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
from workers.tasks.errors import DataUnavailable, InvalidOptions
from workers.tasks.held_out import held_out_names, held_out_of
from workers.tasks.metrics import multi_label
from workers.tasks.options import check_options
from workers.tasks.out_of_distribution import InputSet, Levels, semantic, sets_of
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.splitting import Division, Partition

CHOSEN = 25  # topics
DROPPED = (0.1, 0.25, 0.5, 0.75, 0.9)  # the share of the words, by level
DROPPING_SEED = 2004

Targets = NDArray[np.float32]  # (N, 25), zeros and ones


class Rcv1(Task):
    """The 25 most frequent topics of the training file, the most frequent first; the test file to test.

    All documents stay, including those with none of these topics. `units` is the width of the second slot, the first
    has twice as many. 128 gives the paper's network. The option `held_out` names topics by their numbers in the file;
    documents with such a topic leave all splits, and the other topics keep their order.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed", "held_out"))
        backbone_option(spec, ("paper",))
        self._partition = Partition.of(spec)
        self._outputs = held_out_of(spec, range(len(held_out_names(spec))), CHOSEN).left
        self._strange: Documents | None = None  # the test documents with a held-out topic, when the data are loaded

    def load(self, device: torch.device) -> Splits:
        """Sparse documents (N, 47236) and their topics (N, 25); splits stratified by the most frequent topic."""
        return self._splits_of(self._partition, device)

    def split(self, device: torch.device, division: Division) -> Splits:
        return self._splits_of(self._partition.drawn_by(division.by_seed_alone), device)

    def _splits_of(self, partition: Partition, device: torch.device) -> Splits:
        pool, test = read_documents(self.data_folder)
        topics = most_frequent_topics(pool)
        held_out = held_out_topics(self.spec, pool, topics)
        if held_out:
            strange, also = (_targets(each, topics[held_out]).max(axis=1) > 0 for each in (test, pool))
            self._strange = test.chosen(strange)
            pool, test = pool.chosen(~also), test.chosen(~strange)
            topics = np.delete(topics, held_out)
        targets = _targets(pool, topics)
        train, val = partition.indices(first_topic(targets))

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

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        """held_out: the test documents with a held-out topic; words_dropped: the others with fewer words."""

        def held_out() -> Sequence[InputSet]:
            self.splits(device)
            assert self._strange is not None
            return semantic(SparseRows.from_scipy(self._strange.words, device), ", ".join(held_out_names(self.spec)))

        def words_dropped() -> Sequence[InputSet]:
            data = self.splits(device)
            documents = data.test_x
            assert isinstance(documents, SparseRows)
            assert data.test_y is not None

            def at(level: int) -> SparseRows:
                drawn = np.random.default_rng(DROPPING_SEED).random(len(documents.values), dtype=np.float32)
                return documents.thinned(torch.from_numpy(drawn >= DROPPED[level - 1]).to(device))

            return Levels("words_dropped", len(DROPPED), at, data.test_y)

        return sets_of(self.spec, name, {"held_out": held_out, "words_dropped": words_dropped})

    @property
    def outputs(self) -> Outputs:
        """A logit for every topic."""
        return "sigmoid"

    def build(self, config: TrialConfig) -> nn.Module:
        return text_backbone(WORDS, self._outputs, config)

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


def held_out_topics(spec: TaskSpec, documents: Documents, topics: NDArray[np.int64]) -> list[int]:
    """The places, ascending, among `topics` of those that the option `held_out` names; none without the option.

    A topic that includes another of them, as a root of the hierarchy does, is refused: without its documents nothing
    would be left to learn of the other.

    Raises:
        InvalidOptions: a name is no number of a topic, or its topic includes another.
    """
    names = held_out_names(spec)
    if not names:
        return []
    shown = documents.topics[:, topics].astype(np.int64)
    together = (shown.T @ shown).toarray()  # documents with both
    within = together == np.diag(together)[:, None]  # [i, j]: every document of topic i has topic j
    np.fill_diagonal(within, val=False)
    leaves = {str(topics[place]): int(place) for place in np.flatnonzero(~within.any(axis=0))}
    for name in names:
        if name not in leaves:
            raise InvalidOptions(
                f"task.options.held_out must name topics of {spec.name} that include no other of its {CHOSEN}, "
                f"got {name!r}: choose of {', '.join(sorted(leaves, key=int))}"
            )
    return sorted(leaves[name] for name in names)


def first_topic(targets: Targets) -> NDArray[np.int64]:
    """The most frequent of each document's topics, 25 where it has none."""
    return np.where(targets.any(axis=1), targets.argmax(axis=1), CHOSEN)


def _targets(documents: Documents, topics: NDArray[np.int64]) -> Targets:
    targets: Targets = documents.topics[:, topics].toarray().astype(np.float32)
    return targets
