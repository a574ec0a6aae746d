"""What a regularizer's noise does to a training, measured beside it."""

from collections.abc import Iterator
from contextlib import ExitStack

import torch
from torch import Tensor

from pernodedrop.monte_carlo import draws_noise, mc_mode
from workers.tasks.structure import Batch
from workers.training.batches import batches
from workers.training.figures import step_loss
from workers.training.meter import Meter
from workers.training.precision import computing, widened


class NoiseMeter(Meter):
    """Measures the noise of a training's steps and the loss that they minimize on average."""

    def __call__(self, done: float, *, pairs: int, draws: int) -> dict[str, float]:
        """The figures after the step before which a share `done` of the steps was taken; none for 0 pairs or draws.

        train_mask_noise: tr Cov of a step's gradient over its noise, given the batch: |g - g'|^2 / 2 for two draws on
        one batch, the mean over so many random batches. It is unbiased, and 0 where there is no noise.
        train_masked_loss: the mean loss of the training split with the layers' noise, by so many draws of every
        sample's; all else evaluates, as in `mc_mode`.
        """
        found: dict[str, float] = {}
        if not (pairs or draws):
            return found
        with self.beside():
            if pairs:
                found["train_mask_noise"] = self._mask_noise(done, pairs)
            if draws:
                found["train_masked_loss"] = self._masked_loss(draws)
        return found

    def _mask_noise(self, done: float, pairs: int) -> float:
        self.model.train()
        found = []
        for _ in range(pairs):
            x, y = self.batch()
            one, two = self.steps.gradient(x, y, done), self.steps.gradient(x, y, done)
            squares = [(a - b).double().square().sum() for a, b in zip(one, two, strict=True)]
            found.append(0.5 * torch.stack(squares).sum())
        self.model.eval()
        return torch.stack(found).mean().item()

    @torch.no_grad()
    def _masked_loss(self, draws: int) -> float:
        self.model.eval()
        losses, sizes = [], []
        with ExitStack() as contexts:
            contexts.enter_context(computing(self.task.spec, self.splits.train_y.device))
            noisy = draws_noise(self.model)
            if noisy:
                contexts.enter_context(mc_mode(self.model))
            for _ in range(draws if noisy else 1):
                for x, y in self._batches():
                    losses.append(step_loss(self.task.loss(widened(self.model(x)), y), self.task).double())
                    sizes.append(len(y))
        weights = torch.tensor(sizes, dtype=torch.float64)
        return ((torch.stack(losses).cpu() * weights).sum() / weights.sum()).item()

    def _batches(self) -> Iterator[tuple[Batch, Tensor]]:
        x, y = self.splits.train_x, self.splits.train_y
        return batches(x, y, torch.randperm(len(x), device="cpu"), self.config.batch_size)
