"""The training loop of a tutorial, to stand beside ours: no trick, no mistake.

torch's default memory layout, a shuffling DataLoader, Adam, `loss.item()` at every step, and the same two splits
evaluated through DataLoaders. Sparse documents are collated from their entries, as for an EmbeddingBag.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from search_spaces import TrialConfig
from workers.tasks import Inputs, SparseRows, Task
from workers.training.model import model_of

Document = tuple[Tensor, Tensor, Tensor]  # columns, values, targets


def plain_epochs(task: Task, config: TrialConfig, device: torch.device) -> Iterator[tuple[float, float]]:
    """Seconds of the steps alone and of the whole epoch, epoch after epoch."""
    data = task.splits(torch.device("cpu"))
    train, val = dataset(data.train_x, data.train_y), dataset(data.val_x, data.val_y)
    batches = loader(train, config.batch_size, device, shuffle=True)
    model = model_of(task, config)[0].to(device, memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    while True:
        started = time.perf_counter()
        model.train()
        running = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = task.loss(model(moved(x, device)), y.to(device))
            loss.backward()
            optimizer.step()
            running += loss.item()
        trained = time.perf_counter()
        for split in (train, val):
            evaluate(task, model, loader(split, config.batch_size, device), device)
        yield trained - started, time.perf_counter() - started


def evaluate(task: Task, model: nn.Module, batches: DataLoader[Any], device: torch.device) -> tuple[float, float]:
    """Mean loss and accuracy, summed up batch by batch."""
    model.eval()
    loss, correct, samples = 0.0, 0, 0
    with torch.no_grad():
        for x, y in batches:
            outputs, targets = model(moved(x, device)), y.to(device)
            classes = targets if targets.dim() == 1 else targets.argmax(1)
            loss += task.loss(outputs, targets).item() * len(targets)
            correct += int((outputs.argmax(1) == classes).sum().item())
            samples += len(targets)
    return loss / samples, correct / samples


def loader(split: Dataset[Any], size: int, device: torch.device, *, shuffle: bool = False) -> DataLoader[Any]:
    collate: Callable[[list[Document]], Any] | None = None if isinstance(split, TensorDataset) else collated
    return DataLoader(split, size, shuffle, collate_fn=collate, pin_memory=device.type == "cuda" and collate is None)


def moved(x: Inputs, device: torch.device) -> Inputs:
    if isinstance(x, Tensor):
        return x.to(device)
    return SparseRows(x.columns.to(device), x.values.to(device), x.offsets.to(device))


def dataset(x: Inputs, y: Tensor) -> Dataset[Any]:
    if isinstance(x, Tensor):
        return TensorDataset(x.contiguous(), y)
    return Documents(x, y)


class Documents(Dataset[Document]):
    """Sparse rows one by one."""

    def __init__(self, x: SparseRows, y: Tensor) -> None:
        self.x, self.y, self.bounds = x, y, x.offsets.tolist()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Document:
        entries = slice(self.bounds[index], self.bounds[index + 1])
        return self.x.columns[entries], self.x.values[entries], self.y[index]


def collated(documents: list[Document]) -> tuple[SparseRows, Tensor]:
    columns, values, targets = zip(*documents, strict=True)
    lengths = torch.tensor([0, *map(len, columns)])
    return SparseRows(torch.cat(columns), torch.cat(values), lengths.cumsum(0).int()), torch.stack(targets)
