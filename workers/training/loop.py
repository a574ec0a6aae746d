"""Training: one model, one seed, epoch by epoch."""

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch

from search_spaces import TrialConfig
from workers.seeds import streams
from workers.tasks.base import Task
from workers.training.epoch import Epoch
from workers.training.evaluation import evaluate
from workers.training.facts import facts_of
from workers.training.losses import NonFiniteLoss, mean_step_loss
from workers.training.randomness import Randomness


class Training:
    """Adam on a task's loss, deterministic: the same arguments give the same epochs, on a CPU bit for bit.

    Nothing waits for the device between the first and the last step of an epoch. `facts` says how the model
    runs (see `facts_of`). `state_dict` between two epochs holds all that the rest follows from.
    """

    def __init__(self, task: Task, config: TrialConfig, *, epochs: int, seed: int, device: torch.device) -> None:
        self._task, self._config, self._epochs = task, config, epochs
        self._splits = task.splits(device)
        initial, order, noise = streams(seed, 3)
        start = Randomness(initial, device)
        with start.active():
            self.model = task.build(config).to(device)
            self.facts = facts_of(self.model, self._splits.train_x[: config.batch_size])
        self.facts |= {"train_samples": len(self._splits.train_x), "val_samples": len(self._splits.val_x)}
        self._order = torch.Generator().manual_seed(order)
        self._noise = Randomness(noise, device)
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate, fused=True)
        self._done = 0

    def epochs(self) -> Iterator[Epoch]:
        """Train what is left, one epoch at a time.

        Raises:
            NonFiniteLoss: a training or validation loss is nan or infinite.
        """
        while self._done < self._epochs:
            with self._noise.active():
                epoch = self._epoch(self._done + 1)
            self._done += 1
            yield epoch

    def state_dict(self) -> dict[str, Any]:
        """Model, optimizer, epochs done and random states; to be taken between two epochs."""
        return {
            "epoch": self._done,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "order": self._order.get_state(),
            "noise": self._noise.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; the rest equals the uninterrupted training's, on a CPU bit for bit."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._order.set_state(state["order"])
        self._noise.load_state_dict(state["noise"])
        self._done = state["epoch"]

    def _epoch(self, number: int) -> Epoch:
        started = perf_counter()
        step_loss = self._steps(number)
        trained = perf_counter()
        metrics = {"train_step_loss": step_loss, "train_seconds": trained - started}
        data = self._splits
        for split, x, y in (("train", data.train_x, data.train_y), ("val", data.val_x, data.val_y)):
            for name, value in evaluate(self._task, self.model, x, y).items():
                metrics[f"{split}_{name}"] = value
            loss = metrics[f"{split}_loss"]
            if not math.isfinite(loss):
                raise NonFiniteLoss(f"{split}_loss", loss, f"epoch {number}", self._config.learning_rate)
        return Epoch(number, metrics, perf_counter() - started)

    def _steps(self, number: int) -> float:
        x, y = self._splits.train_x, self._splits.train_y
        order = torch.randperm(len(x), generator=self._order).to(x.device)
        batches = torch.split(order, self._config.batch_size)
        losses = []
        self.model.train()
        for batch in batches:
            loss = self._task.loss(self.model(x[batch]), y[batch])
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            self._optimizer.step()
            losses.append(loss.detach())
        sizes = [len(batch) for batch in batches]
        return mean_step_loss(losses, sizes, number, self._config.learning_rate)
