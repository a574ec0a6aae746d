"""What a trial trains, in one number: a checkpoint is only for the very same training."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from workers.tasks import Inputs, Streamed, Structured, Task
from workers.tasks.code import code_of
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.streamed import READ_AT_ONCE
from workers.tasks.structure import leaves
from workers.trial.checkpoints import Fingerprint
from workers.trial.messages import Order

FORMAT = 6  # of checkpoints; raise it when their content changes its meaning under the same names
_CHUNK = 2**24  # numbers that are read at once, so that a GPU's data need little memory here

_digests: WeakKeyDictionary[Task, dict[torch.device, str]] = WeakKeyDictionary()


def fingerprint_of(order: Order, task: Task, device: torch.device) -> Fingerprint:
    """The fingerprint of an order that is carried out with this task, its first repeat's, on this device."""
    seeds = (order.study_seed, order.first_seed, order.repeats)
    # Masksembles was once judged by one mask a sample: those figures must not be mixed with these.
    judged = ("by all masks",) if order.config.regularizer == "masksembles" else ()
    # Last, and only where it is asked for: a checkpoint of a study without it has the fingerprint that it always had.
    examined = () if order.evaluation is None else (order.evaluation,)
    divided = (("splits anew",) if order.splits_anew else ()) + (("folds", order.folds) if order.folds else ())
    trained = repr((FORMAT, order.task, order.config, *seeds, order.tested_by, *judged, *examined, *divided))
    ordered = hashlib.sha256(trained.encode()).hexdigest()
    return Fingerprint(ordered, code_of(type(task)), lambda: data_of(task, device))


def data_of(task: Task, device: torch.device) -> str:
    """A digest of the task's data as the training sees them, on whatever device; read once for a task and device."""
    known = _digests.setdefault(task, {})
    if device not in known:
        splits = task.splits(device)
        digest = hashlib.blake2b(digest_size=32)
        for field in fields(splits):
            for name, tensor in _tensors(field.name, getattr(splits, field.name)):
                digest.update(repr((name, tuple(tensor.shape), tensor.dtype)).encode())
                dense = tensor.detach() if tensor.layout is torch.strided else tensor.detach().to_dense()
                for part in torch.split(dense.reshape(-1), _CHUNK):
                    digest.update(part.cpu().view(torch.uint8).numpy().data)
        known[device] = digest.hexdigest()
    return known[device]


def _tensors(name: str, inputs: Inputs | None) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a field of this name, with their places in it."""
    match inputs:
        case Tensor():
            yield name, inputs
        case SparseRows():
            for tensor in (inputs.columns, inputs.values, inputs.offsets):
                yield name, tensor
        case Structured():
            for place, part in leaves(inputs.parts, name):
                yield from _tensors(place, part)
        case Streamed() if inputs.version is not None:
            yield f"{name} {inputs.version}", torch.zeros(0)
        case Streamed():
            for batch in inputs.batches(READ_AT_ONCE):
                yield from leaves(batch, name)
