"""Each hook by itself: what it changes, what it leaves, and that an interrupted training goes on bit for bit."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer
from torch.utils.data import DataLoader

from search_spaces import TrialConfig
from tests.hooks.orders import exact, order, reports, spec
from tests.hooks.tasks import Sam, Sentences, sentences
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, training
from workers.tasks import Splits, Streamed
from workers.trial.fingerprint import data_of
from workers.trial.messages import Report, Started

CONFIG = TrialConfig("dropout", units=12, batch_size=16)
ALL = {"blurred": True}


class Paired(Circles):
    """The same circles as a named part of a dictionary in a tuple."""

    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        return Splits(({"x": data.train_x},), data.train_y, ({"x": data.val_x},), data.val_y)  # type: ignore[arg-type]

    def build(self, config: TrialConfig) -> nn.Module:
        return Inside(super().build(config))


class Inside(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: tuple[dict[str, Tensor]]) -> Tensor:
        return self.model(batch[0]["x"])


class Read(Circles):
    """The same circles, read from a data set of pairs."""

    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        pairs = [list(zip(x, y, strict=True)) for x, y in ((data.train_x, data.train_y), (data.val_x, data.val_y))]
        train, val = (Streamed.with_targets(DataLoader(part, batch_size=3), device) for part in pairs)  # type: ignore[arg-type]
        return Splits(*train, *val)


@pytest.mark.parametrize("task", [Paired, Read])
@pytest.mark.parametrize("measured", [{}, {"mask_noise_pairs": 2, "masked_loss_draws": 2, "curvature_every": 2}])
def test_other_forms_of_the_same_inputs_train_the_same(task: type[Circles], measured: dict[str, int]) -> None:
    config = TrialConfig("dropout", units=12, batch_size=16, curvature_samples=32, curvature_vectors=2, **measured)  # type: ignore[arg-type]
    assert curves(training(task(), config)) == curves(training(Circles(), config))


@pytest.mark.parametrize("regularizer", ["masksembles", "r_drop"])
def test_so_they_do_in_several_passes(regularizer: str) -> None:
    config = TrialConfig(regularizer, units=12, batch_size=16)
    assert curves(training(Paired(), config)) == curves(training(Circles(), config))


def with_optimizer(make: Callable[[nn.Module, TrialConfig], Any]) -> Circles:
    class Driven(Circles):
        def optimizer(self, model: nn.Module, config: TrialConfig) -> Any:
            return make(model, config)

    return Driven()


def test_an_optimizer_like_the_studys_trains_the_same() -> None:
    own = with_optimizer(lambda model, config: Adam(model.parameters(), lr=config.learning_rate, fused=True))
    config = TrialConfig("dropout", units=12, batch_size=16, learning_rate_schedule="cosine", gradient_clip=0.5)
    assert curves(training(own, config)) == curves(training(Circles(), config))
    assert training(own, config).facts["optimizer"] == "Adam"
    assert curves(training(with_optimizer(lambda *_: None), config)) == curves(training(Circles(), config))


def test_a_schedule_multiplies_each_groups_own_rate() -> None:
    def make(model: nn.Module, config: TrialConfig) -> Optimizer:
        first, *others = model.parameters()
        return SGD([{"params": [first], "lr": 0.02}, {"params": others, "lr": config.learning_rate}])

    config = TrialConfig("dropout", units=12, learning_rate=0.1, learning_rate_schedule="step")
    run = training(with_optimizer(make), config, epochs=4)
    rates = [[group["lr"] for group in run._driven.optimizer.param_groups] for _ in run.epochs()]
    assert rates == [pytest.approx([0.02 * part, 0.1 * part]) for part in (1.0, 1.0, 0.1, 0.01)]


def test_a_step_of_several_passes_sees_one_batch_and_one_noise() -> None:
    seen: list[list[float]] = []

    class Asking(SGD):
        needs_closure = True

        def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
            assert closure is not None
            seen.append([float(closure()) for _ in range(3)])
            super().step()

    own = with_optimizer(lambda model, config: Asking(model.parameters(), lr=config.learning_rate))
    plain = with_optimizer(lambda model, config: SGD(model.parameters(), lr=config.learning_rate))
    config = TrialConfig("tabu", units=12, batch_size=16)  # whose masks depend on those before
    assert curves(training(own, config)) == curves(training(plain, config))
    assert len(seen) == 8
    assert all(len(set(losses)) == 1 for losses in seen)


def test_lbfgs_and_sam_learn() -> None:
    for make in (lambda model, _: LBFGS(model.parameters(), max_iter=4), lambda model, _: Sam(model.parameters())):
        before, *_, after = curves(training(with_optimizer(make), TrialConfig("none", units=12), epochs=4))
        assert after["train_loss"] < before["train_loss"]


class Averaging(AdamW):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407): between steps the model has the mean."""

    def train(self) -> None:
        for p, state in self._known():
            state["mean"], p.data = p.data, state["last"]

    def eval(self) -> None:
        for p, state in self._known(begins=True):
            state["count"] = state.get("count", 0) + 1
            mean = state.get("mean", torch.zeros_like(p))
            state["last"], p.data = p.data, mean + (p.data - mean) / state["count"]

    def _known(self, *, begins: bool = False) -> list[tuple[Tensor, dict[str, Any]]]:
        learning = [p for group in self.param_groups for p in group["params"]]
        return [(p, self.state[p]) for p in learning if begins or "last" in self.state[p]]


def averaging(model: nn.Module, config: TrialConfig) -> Optimizer:
    return Averaging(model.parameters(), lr=config.learning_rate)


def test_what_is_evaluated_and_kept_is_what_the_optimizer_wants() -> None:
    plain = with_optimizer(lambda model, config: AdamW(model.parameters(), lr=config.learning_rate))
    run, usual = training(with_optimizer(averaging), CONFIG, epochs=3), training(plain, CONFIG, epochs=3)
    means = []
    for number, (epoch, other) in enumerate(zip(run.epochs(), usual.epochs(), strict=True), start=1):
        assert epoch.metrics["train_step_loss"] == other.metrics["train_step_loss"]  # the steps go on as if nothing was
        assert (epoch.metrics["val_loss"] == other.metrics["val_loss"]) == (number == 1)
        means.append([p.clone() for p in usual.model.parameters()])
    for p, values in zip(run.model.parameters(), zip(*means, strict=True), strict=True):
        torch.testing.assert_close(p.detach(), torch.stack(values).mean(0))
    config = TrialConfig(units=12, learning_rate_schedule="snapshot", learning_rate_cycles=2)
    with pytest.raises(ValueError, match="learning_rate_schedule snapshot keeps models in the middle of an epoch"):
        training(with_optimizer(averaging), config)


class Strange(SGD):
    """What it remembers has other types than its parameters, and stands in an optimizer within it too."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), lr=0.1)
        self.inside = AdamW(model.parameters(), lr=0.01)

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            state["sum"] = state.get("sum", torch.zeros_like(p, dtype=torch.float64)) + p.grad
            state["count"] = state.get("count", torch.zeros((), dtype=torch.int64)) + 2**24 + 1
            p.data -= 0.01 * (state["sum"] / state["count"] * 2**24).float()
        self.inside.step()


@pytest.mark.parametrize("make", [averaging, lambda model, _: Strange(model), lambda model, _: Sam(model.parameters())])
def test_an_own_optimizer_goes_on_bit_for_bit(make: Callable[..., Optimizer]) -> None:
    whole = curves(training(with_optimizer(make), CONFIG, epochs=3))
    begun = training(with_optimizer(make), CONFIG, epochs=3)
    next(begun.epochs())
    resumed = training(with_optimizer(make), CONFIG, epochs=3)
    resumed.load_state_dict(begun.state_dict())
    assert curves(resumed) == whole[1:]


@pytest.mark.parametrize("task", ["Words", "Optimized", "Augmented", "OnDisk", "Everything"])
def test_an_interrupted_run_ends_as_the_whole_one(task: str, tmp_path: Path) -> None:
    of = spec(task, options=ALL)
    whole = exact(list(reports(order(of, tmp_path / "whole"))))
    list(reports(order(of, tmp_path / "parts"), leave_after=1))
    resumed: list[Report] = list(reports(order(of, tmp_path / "parts", token=2)))
    assert isinstance(resumed[0], Started)
    assert resumed[0].facts["resumed_after_epoch"] == 1
    assert exact(resumed) == whole
    assert len(whole) == 5  # two epochs, two examinations and the weights


def test_augment_repeats_with_the_seed_and_never_touches_an_evaluation() -> None:
    seen: list[Tensor] = []

    class Blurred(Circles):
        def augment(self, x: Any, generator: torch.Generator) -> Any:
            seen.append(torch.randn(x.shape, generator=generator))
            return x + 0.1 * seen[-1]

    found = curves(training(Blurred(), CONFIG))
    first, seen[:] = list(seen), []
    assert found == curves(training(Blurred(), CONFIG))
    assert all(torch.equal(*pair) for pair in zip(first, seen, strict=True))
    assert len({tuple(each.flatten().tolist()) for each in first}) == 8  # other draws in every step of every epoch
    assert found != curves(training(Blurred(), CONFIG, seed=4))

    class Same(Circles):
        def augment(self, x: Any, generator: torch.Generator) -> Any:
            torch.randn(5, generator=generator)
            return x

    assert curves(training(Same(), CONFIG)) == curves(training(Circles(), CONFIG))


def test_whoever_reads_a_data_set_reads_the_same() -> None:
    data = Sentences(*sentences(100, seed=1), blurred=True)
    here, y = Streamed.with_targets(data, CPU)
    there, same = Streamed.with_targets(data, CPU, workers=2)
    assert torch.equal(y, same)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    batches = [list(each[order].batches(16)) for each in (here, there)]  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), before)
    assert [len(batch["words"]) for batch in batches[0]] == [16] * 6 + [4]  # type: ignore[call-overload]
    for one, two in zip(*batches, strict=True):
        assert torch.equal(one["words"], two["words"])  # type: ignore[call-overload]
        assert isinstance(one["and"], tuple)  # type: ignore[call-overload]
    again, other = (next(here[each].batches(16)) for each in (order, order.flip(0).flip(0)))
    assert torch.equal(again["words"], other["words"])  # type: ignore[call-overload]


def test_a_checkpoint_knows_streamed_data_by_what_they_are_or_by_their_version() -> None:
    reads = itertools.count()

    class Counted(Circles):
        def load(self, device: torch.device) -> Splits:
            data = super().load(device)
            rows = [Rows(x * self.factor, reads) for x in (data.train_x, data.val_x)]
            train, val = (Streamed(each, device, version=self.version) for each in rows)
            return Splits(train, data.train_y, val, data.val_y)

    def digest(factor: float, version: str | None) -> tuple[str, int]:
        task = Counted()
        task.factor, task.version = factor, version  # type: ignore[attr-defined]
        before = next(reads)
        return data_of(task, CPU), next(reads) - before - 1

    cases = ((1, None), (1, None), (2, None), (1, "a"), (2, "a"), (1, "b"))
    known = [digest(factor, version) for factor, version in cases]
    digests, read = zip(*known, strict=True)
    assert [digests.index(each) for each in digests] == [0, 0, 2, 3, 3, 5]
    assert list(read) == [96, 96, 96, 0, 0, 0]


class Rows:
    def __init__(self, x: Tensor, reads: Any) -> None:
        self._x, self._reads = x, reads

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, number: int) -> Tensor:
        next(self._reads)
        return self._x[number]
