"""Inputs that are read batch by batch: data that are larger than memory."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from types import NoneType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
    default_convert,
)

from workers.tasks.errors import InvalidInputs
from workers.tasks.structure import Batch, leaves, mapped, stacked

READ_AT_ONCE = 64  # samples, where all of them are read once
_SEEDING = 1024  # numbers of an order that its seeds follow from

Key = tuple[int, list[int]]  # a seed, and the numbers of a batch's samples


class MapStyle(Protocol):
    """A data set in torch's sense: samples by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Any: ...


@dataclass(frozen=True)
class _Source(Dataset[Any]):
    """The samples, as batches by seed and numbers; runs in the training's process or in the readers'."""

    dataset: MapStyle
    device: torch.device
    workers: int
    has_targets: bool
    version: str | None
    collate: Callable[[list[Any]], Any]

    def __getitem__(self, key: Key) -> Any:
        """The batch on the CPU, or the sentence that says why there is none, which must pass between processes."""
        seed, numbers = key
        number = None
        try:
            with (
                _drawing_from(seed),
                torch.autocast("cpu", enabled=False),
                torch.inference_mode(False),
                torch.no_grad(),
            ):
                samples = []
                for number in numbers:
                    samples.append(self.dataset[number])
                number = None
                return _Read(self.collate(samples))
        except MemoryError:
            raise
        except Exception as error:  # whatever a user's data set raises
            what = "samples" if number is None else f"sample {number}"
            text = " ".join(str(error).split())
            return _Unreadable(f"{what} of a streamed data set cannot be read: {type(error).__name__}: {text}")

    @cached_property
    def sample_bytes(self) -> int:
        first = self.read([(0, [0])])
        return sum(part.nbytes for _, part in leaves(next(first)[0]))

    def read(self, keys: Sequence[Key]) -> Iterator[tuple[Batch, Any]]:
        """The batches of these keys, in their order, on the device, each with its targets, if it has any."""
        pinned = self.device.type == "cuda"
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=keys,
            num_workers=self.workers if len(keys) > 1 else 0,
            pin_memory=pinned,
            collate_fn=_as_it_is,  # torch's would make lists of tuples
            generator=torch.Generator(),  # else it draws from the training's random numbers
        )
        for (_, numbers), found in zip(keys, loader, strict=True):
            if isinstance(found, _Unreadable):
                raise InvalidInputs(found.why)
            x, y = found.batch, None
            if self.has_targets:
                if not (isinstance(x, tuple | list) and len(x) == 2):
                    raise InvalidInputs("a streamed data set with targets must give pairs (input, target) as samples")
                x, y = x
            for name, part in leaves(x, "a batch"):
                if not (isinstance(part, Tensor) and part.dim() > 0 and len(part) == len(numbers)):
                    raise InvalidInputs(
                        f"{name} of a streamed data set must be a tensor of {len(numbers)} samples, got "
                        f"{tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__}"
                    )
            yield mapped(x, lambda part: part.to(self.device, non_blocking=pinned)), y


class Streamed:
    """The inputs of a data set of torch's kind, whose samples are read when a batch needs them.

    `dataset[i]`, for i from 0 to len(dataset) - 1, gives an input: a tensor, or a dictionary or tuple of tensors, all
    alike in shape. With `has_targets` it gives a pair (input, target), of which this is the inputs. It may be a
    DataLoader over such a data set: then its `num_workers` and `collate_fn` hold, while the order and the size of
    batches are the training's. Batches come to `device`.

    So many `workers` processes read ahead; with 0 the training's own does. What the data set draws from the random
    numbers of torch, numpy and Python follows from the training's seed and the batch, whoever reads it.

    `version` names the data in a checkpoint's fingerprint; without one, all data are read once for it.

    Like a tensor it has len(inputs), inputs[a:b] and inputs[indices] (views, which read nothing), inputs.split(size),
    device and nbytes; `batches(size)` reads.

    Raises:
        InvalidInputs: the data set has no length or no samples by number, or the loader has an order of its own.
    """

    def __init__(
        self,
        dataset: MapStyle | DataLoader[Any],
        device: torch.device,
        *,
        workers: int = 0,
        has_targets: bool = False,
        version: str | None = None,
    ) -> None:
        collate: Callable[[list[Any]], Any] = stacked
        if isinstance(dataset, DataLoader):
            _check_loader(dataset)
            if dataset.collate_fn not in (default_collate, default_convert):
                collate = dataset.collate_fn
            dataset, workers = dataset.dataset, dataset.num_workers  # type: ignore[assignment]
        if isinstance(dataset, IterableDataset) or not (
            hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
        ):
            raise InvalidInputs(
                "a streamed data set must have a length and samples by number (__len__ and __getitem__), because the "
                f"training draws their order, got {type(dataset).__name__}: give one of torch's map style"
            )
        self._source = _Source(dataset, torch.device(device), workers, has_targets, version, collate)
        self._rows = torch.arange(len(dataset))

    @classmethod
    def with_targets(
        cls,
        dataset: MapStyle | DataLoader[Any],
        device: torch.device,
        *,
        workers: int = 0,
        version: str | None = None,
    ) -> tuple["Streamed", Tensor]:
        """The inputs, and the targets (N, ...) on `device`, of a data set of pairs, which is read once for these."""
        found = cls(dataset, device, workers=workers, has_targets=True, version=version)
        targets = [torch.as_tensor(y) for _, y in found._read(found._rows, READ_AT_ONCE)]
        if not targets:
            raise InvalidInputs("a streamed data set must have at least one sample, got none")
        return found, torch.cat(targets).to(device)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: slice | Tensor | np.ndarray[Any, Any]) -> "Streamed":
        """Some samples, of which none is read yet."""
        rows = self._rows[chosen if isinstance(chosen, slice) else torch.as_tensor(chosen).cpu()]
        found = object.__new__(Streamed)
        found._source, found._rows = self._source, rows
        return found

    def split(self, size: int) -> Iterator["Streamed"]:
        """All samples in order, `size` at a time, the last fewer; none is read yet."""
        return (self[first : first + size] for first in range(0, len(self), size))

    def batches(self, size: int) -> Iterator[Batch]:
        """Read all samples in order, `size` at a time, the last fewer: batches as a model takes them, on the device."""
        return (x for x, _ in self._read(self._rows, size))

    def in_order(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Read the samples of these places (M,), `size` at a time, as `batches`."""
        return self[order].batches(size)

    def loaded(self) -> Batch:
        """All samples at once, on the device."""
        return next(self.batches(max(1, len(self))))

    @property
    def device(self) -> torch.device:
        return self._source.device

    @property
    def nbytes(self) -> int:
        """What all samples would take in memory, by the first one."""
        return self._source.sample_bytes * len(self)

    @property
    def version(self) -> str | None:
        """What names the data, with the samples of this part; None: only reading them does."""
        version = self._source.version
        return None if version is None else repr((version, blake2b(self._rows.numpy().tobytes()).hexdigest()))

    def _read(self, rows: Tensor, size: int) -> Iterator[tuple[Batch, Any]]:
        seed = int.from_bytes(blake2b(rows[:_SEEDING].numpy().tobytes(), digest_size=6).digest(), "little")
        keys = [(seed + number, part.tolist()) for number, part in enumerate(torch.split(rows, size))]
        return self._source.read(keys)


@dataclass(frozen=True)
class _Read:
    batch: Any

    def pin_memory(self) -> "_Read":
        """The same in memory that a GPU copies from while others work; the loader calls it."""
        return _Read(mapped(self.batch, lambda part: part.pin_memory() if isinstance(part, Tensor) else part))


@dataclass(frozen=True)
class _Unreadable:
    why: str


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Within it the random numbers of torch (on the CPU), numpy and Python begin at `seed`; afterwards they go on."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would begin a GPU's anew as well
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def _check_loader(loader: DataLoader[Any]) -> None:
    if isinstance(loader.dataset, IterableDataset):
        return  # which is refused as such
    order = type(loader.sampler)
    if not issubclass(order, RandomSampler | SequentialSampler) or type(loader.batch_sampler) not in (
        BatchSampler,
        NoneType,
    ):
        raise InvalidInputs(
            f"a streamed DataLoader must leave the order to the training, got {order.__name__}: "
            "leave out sampler and batch_sampler"
        )
