"""Small tasks of sentences, each with a hook, and one with all of them. Their models have a place for every method."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from search_spaces import TrialConfig
from workers.tasks import Division, InputSet, Splits, Streamed, Task

LONGEST, KINDS = 6, 12  # words in a sentence, and in the language


def sentences(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Words (N, T), which of them are there (N, T), and whether more than two fifths of those are of the upper half."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(KINDS, (count, LONGEST), generator=generator)
    lengths = torch.randint(2, LONGEST + 1, (count, 1), generator=generator)
    there = torch.arange(LONGEST) < lengths
    upper = ((words >= KINDS // 2) & there).sum(1) / lengths[:, 0]
    return words, there, (upper > 0.4).long()


class Reader(nn.Module):
    """Reads {"words": (B, T), "and": (mask (B, T),)}."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(KINDS, 8)
        self.recurrence = nn.LSTM(8, 8, batch_first=True)
        self.layer, self.branch, self.map = nn.Linear(8, 8), nn.Identity(), nn.Identity()
        self.slot, self.out = nn.Linear(8, units), nn.Linear(units, 2)

    def forward(self, batch: dict[str, Any]) -> Tensor:
        x = self.recurrence(self.embedding(batch["words"]))[0]
        x = x + self.branch(self.layer(x).tanh())
        x = self.map(x.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        (mask,) = batch["and"]
        there = mask.unsqueeze(-1).to(x.dtype)
        return self.out(self.slot((x * there).sum(1) / there.sum(1)).tanh())


class Words(Task):
    """Inputs in a dictionary that has a tuple."""

    def load(self, device: torch.device) -> Splits:
        return self.split(device, Division(seed=0))

    def split(self, device: torch.device, division: Division) -> Splits:
        words, there, y = sentences(150, seed=1)
        rest, tested = np.arange(100), np.arange(100, 150)
        if division.fold is not None:
            rest, tested = division.fold.cut(y.numpy())
        rest = np.random.default_rng(division.seed).permutation(rest)
        parts = rest[30 : 30 + (self.spec.train_size or len(rest))], rest[:30], tested
        given = [each for part in parts for each in self.given(words[part], there[part], y[part], device)]
        return Splits(*given)

    def given(self, words: Tensor, there: Tensor, y: Tensor, device: torch.device) -> tuple[Any, Tensor]:
        return {"words": words.to(device), "and": (there.to(device),)}, y.to(device)

    def build(self, config: TrialConfig) -> nn.Module:
        return Reader(config.units)

    def out_of_distribution(self, name: str, device: torch.device) -> list[InputSet]:
        words, there, y = sentences(40, seed=2)
        x, _ = self.given(words, there, y, device)
        return [InputSet(name, "far", 0, x, None)]


class Sentences:
    """A data set of pairs; with `blurred` each reading draws a word anew, from torch, numpy and Python alike."""

    def __init__(self, words: Tensor, there: Tensor, y: Tensor, *, blurred: bool) -> None:
        self._all, self._blurred = (words, there, y), blurred

    def __len__(self) -> int:
        return len(self._all[0])

    def __getitem__(self, number: int) -> tuple[dict[str, Any], int]:
        words, there, y = (each[number] for each in self._all)
        if self._blurred:
            words = words.clone()
            words[np.random.randint(LONGEST)] = torch.randint(KINDS, ())
        return {"words": words, "and": (there,)}, int(y)


class OnDisk(Words):
    """Inputs that are read batch by batch, by `options.readers` processes; the test split's as they are."""

    def given(self, words: Tensor, there: Tensor, y: Tensor, device: torch.device) -> tuple[Any, Tensor]:
        data = Sentences(words, there, y, blurred=bool(self.spec.options.get("blurred", False)))
        readers = int(self.spec.options.get("readers", 0))  # type: ignore[arg-type]
        return Streamed.with_targets(data, device, workers=readers)


class Augmented(Words):
    """Draws some words anew in every step."""

    def augment(self, x: Any, generator: torch.Generator) -> Any:
        words = x["words"]
        drawn = torch.randint(KINDS, words.shape, generator=generator, device=words.device)
        chosen = torch.rand(words.shape, generator=generator, device=words.device) < 0.1
        return {**x, "words": torch.where(chosen, drawn, words)}


class Sam(Optimizer):
    """Sharpness-aware minimization around AdamW (Foret et al. 2021, arXiv:2010.01412)."""

    needs_closure = True

    def __init__(self, groups: Any, radius: float = 0.05) -> None:
        self.inside = AdamW(groups)
        super().__init__(self.inside.param_groups, {"radius": radius})
        self.inside.param_groups = self.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        assert closure is not None
        learning = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        length = torch.nn.utils.get_total_norm([p.grad for p in learning])
        before = [p.clone() for p in learning]
        for p in learning:
            assert p.grad is not None
            p.add_(p.grad, alpha=float(self.param_groups[0]["radius"] / (length + 1e-12)))
        closure()
        for p, value in zip(learning, before, strict=True):
            p.copy_(value)
            self.state[p]["count"] = self.state[p].get("count", torch.zeros((), dtype=torch.int64)) + 1
        self.inside.step()


class Optimized(Words):
    """Layers at two learning rates, by SAM."""

    def optimizer(self, model: nn.Module, config: TrialConfig) -> Optimizer:
        slow = [*model.embedding.parameters()]  # type: ignore[union-attr]
        known = {id(each) for each in slow}
        fast = [each for each in model.parameters() if id(each) not in known]
        return Sam(
            [
                {"params": slow, "lr": 0.1 * config.learning_rate},
                {"params": fast, "lr": config.learning_rate},
            ]
        )


class Everything(OnDisk, Augmented, Optimized):
    """All hooks at once."""
