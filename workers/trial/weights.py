"""The file of a model's weights: tensors, and in its head as JSON all that it takes to build the model again.

It is a safetensors file, which holds no code. The JSON is one entry of its metadata, so that one digest covers both.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from search_spaces.objective import SNAPSHOTS
from service.storage.artifacts import ArtifactRoot
from service.storage.assignments.progress import EpochDone
from service.storage.provenance import Provenance, digest_of
from service.storage.records import Weights
from service.storage.states import storable
from workers.tasks import Inputs
from workers.tasks.code import code_of
from workers.training import Training
from workers.training.exporting import Exported
from workers.training.memory import PEAK
from workers.trial.messages import Kept, Order
from workers.trial.out_of_memory import is_out_of_memory

FORMAT, VERSION = "pernodedrop weights", 1
HEAD = "pernodedrop"  # the entry of the metadata
SNAPSHOT = "snapshot[{}]."  # before the names of a snapshot's tensors; the model's have their own
_NOWHERE = "its worker keeps no weights: PERNODEDROP_ARTIFACTS, or --artifacts, was none"


@dataclass(frozen=True)
class Keeping:
    """Writes the weights of an order's models; `done` are those that were written so far, also by an earlier holder."""

    order: Order
    provenance: Provenance
    done: list[Kept]

    def of(self, repeat: int, training: Training, history: Sequence[EpochDone]) -> Iterator[Kept]:
        """Write the model that the training has kept, unless that was done; it is announced when it is there.

        A file that cannot be written must not end a healthy training: the report says why there is none.
        """
        if any(one.weights.repeat == repeat for one in self.done):
            return
        epoch = training.kept_epoch
        assert epoch is not None, "every repeat has a best epoch"
        (best,) = (one for one in history if (one.repeat, one.epoch) == (repeat, epoch))
        self.done.append(Kept(self._written(repeat, epoch, training, best)))
        yield self.done[-1]

    def _written(self, repeat: int, epoch: int, training: Training, best: EpochDone) -> Weights:
        root, run = self.order.artifacts, self.order.run_id
        if root is None:
            return Weights(run, repeat, epoch, None, 0, _NOWHERE)
        try:
            data = packed(training.exported(), self._head(repeat, training, best))
            return Weights(run, repeat, epoch, root.write(run, self.order.first_seed + repeat, data), len(data))
        except Exception as error:  # of a full disk, a store, or a model whose tensors no file can hold
            if is_out_of_memory(error):
                raise
            reason = storable(f"its weights could not be written: {type(error).__name__}: {error}")
            return Weights(run, repeat, epoch, None, 0, reason)

    def _head(self, repeat: int, training: Training, best: EpochDone) -> dict[str, Any]:
        order, objective = self.order, self.order.kept_by
        assert objective is not None, "an order that keeps weights says by which objective"
        seed = order.first_seed + repeat
        return {
            "task": order.task.model_dump(mode="json"),
            "code": code_of(type(training.task)),
            "configuration": order.config.as_params(),
            "study_seed": order.study_seed,
            "seed": seed,
            "splits_anew": order.splits_anew,
            "folds": order.folds,
            "epoch": best.epoch,
            "objective": objective.model_dump(mode="json"),
            "judged_by": "snapshots" if objective.metric.endswith(SNAPSHOTS) else "model",
            "input": _told_of(training.judged[1]),
            "figures": {name: value for name, value in sorted(best.metrics.items()) if _lasts(name)},
            "provenance": digest_of(self.provenance),
        }


def packed(found: Exported, head: Mapping[str, Any]) -> bytes:
    """The file's bytes: the same model and head give the same.

    Raises:
        ValueError, or an error of safetensors: a tensor is of a kind that no such file holds.
    """
    from safetensors.torch import save

    told = {
        "format": FORMAT,
        "version": VERSION,
        "form": found.form,
        "why": found.why,
        "drop_rate": found.drop_rate,
        "snapshots": len(found.snapshots),
        **head,
    }
    tensors = {name: _alone(tensor) for name, tensor in found.model.items()}
    for number, state in enumerate(found.snapshots):
        tensors |= {f"{SNAPSHOT.format(number)}{name}": _alone(tensor) for name, tensor in state.items()}
    data: bytes = save(tensors, {HEAD: json.dumps(told, sort_keys=True, separators=(",", ":"))})
    return data


def kept_among(root: ArtifactRoot | None, told: Sequence[Mapping[str, Any]], run_id: int) -> list[Kept]:
    """What an earlier holder has kept, as a checkpoint tells it.

    Raises:
        ValueError: a file is not there any more, or is damaged.
        Any error of the place.
    """
    found = [Weights(**{**one, "run_id": run_id}) for one in told]
    for one in found:
        if one.digest is not None and (root is None or not root.has(run_id, one.digest)):
            raise ValueError(f"the weights of its repeat {one.repeat + 1} are gone")
    return [Kept(one) for one in found]


def _told_of(inputs: Inputs) -> dict[str, Any] | None:
    """The shape and kind of one input; None for sparse ones."""
    if not isinstance(inputs, Tensor):
        return None
    return {"shape": list(inputs.shape[1:]), "dtype": str(inputs.dtype).removeprefix("torch.")}


def _alone(tensor: Tensor) -> Tensor:
    """The tensor with memory of its own, on the CPU."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format).contiguous()


def _lasts(name: str) -> bool:
    """Whether a figure follows from the training alone, and not from how fast it was."""
    return not name.endswith("_seconds") and name != PEAK
