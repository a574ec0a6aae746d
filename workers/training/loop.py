"""Training: one model, one seed, epoch by epoch."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from pernodedrop.monte_carlo import mc_passes
from pernodedrop.unchanged import unchanged
from search_spaces import TrialConfig
from workers.tasks.base import Task
from workers.tasks.inputs import Inputs
from workers.training import schedules
from workers.training.batches import batches
from workers.training.curvature import CurvatureMeter
from workers.training.evaluation import evaluate
from workers.training.examination import Examiner, Findings
from workers.training.exporting import Exported, exported
from workers.training.facts import facts_of
from workers.training.fitting import require_fit
from workers.training.losses import NonFiniteLoss, mean_step_loss
from workers.training.memory import keep_freed_memory, peak_memory, reset_peak_memory
from workers.training.model import model_of, passes_of
from workers.training.noise import NoiseMeter
from workers.training.precision import computing, precision_facts
from workers.training.randomness import Randomness
from workers.training.seeds import named_stream, streams
from workers.training.snapshots import Snapshots, snapshots_of
from workers.training.states import State, copied, kept
from workers.training.steps import Steps


@dataclass(frozen=True)
class Epoch:
    """One pass over the training split, and the updated model's figures.

    `metrics` by "<split>_<metric>": train_loss, train_accuracy, val_loss, val_accuracy, ... of the model in
    evaluation mode over the whole split; train_step_loss, the mean loss of the steps with their noise;
    train_gradient_norm, the length of the last step's gradient; train_seconds, the time of the steps alone; on a GPU
    train_peak_bytes, the most memory that tensors have held since the training began; those of `NoiseMeter`, and, in
    the epochs after which they are measured, those of `CurvatureMeter`.
    """

    number: int  # from 1
    metrics: Mapping[str, float]
    seconds: float  # with evaluation


class NoTestSplit(RuntimeError):
    """A test was requested of a task without a test split."""


class Training:
    """A task's model trained by a trial's recipe: the same arguments give the same epochs, on a CPU bit for bit.

    Nothing waits for the device between the first and the last step of an epoch. `facts` says how the model
    runs (see `facts_of`). `state_dict` between two epochs determines the rest.
    """

    def __init__(self, task: Task, config: TrialConfig, *, epochs: int, seed: int, device: torch.device) -> None:
        self.task, self.device = task, device
        self._config, self._epochs = config, epochs
        self._splits = task.splits(device)
        initial, order, noise, self._test_seed, self._examination_seed = streams(seed, 5)
        reset_peak_memory(device)
        if device.type == "cpu":
            keep_freed_memory()
        start = Randomness(initial, device)
        with start.active():
            self.model, regularized = model_of(task, config)
            self.model.to(device)
            with computing(task.spec, device):
                self.facts = facts_of(self.model, _first(self._splits.train_x, config.batch_size))
        if regularized is None and config.regularizer != "none":
            self.facts["regularized_by"] = "the task"
        self.facts |= precision_facts(task.spec, device)
        self.facts |= {"train_samples": len(self._splits.train_x), "val_samples": len(self._splits.val_x)}
        self._order = torch.Generator().manual_seed(order)
        self._noise = Randomness(noise, device)
        seams = task.seams(config)
        samples = len(self._splits.train_x)
        self._in_epoch = -(-samples // config.batch_size)  # steps
        self._all = self._in_epoch * epochs  # steps
        self._steps = Steps(
            task, config, seams, self.model, regularized, samples=samples, steps=self._all, device=device, seed=noise
        )
        self._driven = self._steps.driven
        if self._driven.is_own:
            self.facts["optimizer"] = type(self._driven.optimizer).__name__
        self._noise_meter = NoiseMeter(task, config, self.model, self._steps, self._splits, self._order)
        self._curvature_meter = CurvatureMeter(task, config, self.model, self._steps, self._splits, self._order)
        if config.curvature_every > 0:
            self._curvature_meter.check()
        self._passes = passes_of(task, seams, regularized)
        self._snapshots: Snapshots | None = snapshots_of(task, config, self.model, self._all)
        if self._snapshots is not None and self._driven.has_modes:
            raise ValueError(
                "learning_rate_schedule snapshot keeps models in the middle of an epoch, and the optimizer of task "
                f"{task.spec.name} says by train and eval what to evaluate: choose another schedule"
            )
        self._best: tuple[int, State] | None = None
        self._done = 0

    def epochs(self) -> Iterator[Epoch]:
        """Train the remaining epochs, one at a time.

        Raises:
            NonFiniteLoss: a training or validation loss is nan or infinite.
            UnusableFigure: the task returned a loss or a metric that is no number.
            ChangedInPlace: the model or the task changed what is read again.
        """
        while self._done < self._epochs:
            with self._noise.active():
                epoch = self._epoch(self._done + 1)
            self._done += 1
            yield epoch

    @property
    def has_test(self) -> bool:
        """Return whether the task has a test split."""
        return self._splits.test_x is not None and self._splits.test_y is not None

    def test(self) -> dict[str, float]:
        """The model's figures on the test split as it is now: test_loss, test_accuracy, ...

        They are final figures, by which nothing is chosen; `epochs` never uses that split. A test does not change the
        training after it.

        Raises:
            NoTestSplit: the task has none.
            NonFiniteLoss: the test loss is nan or infinite.
        """
        x, y = self._splits.test_x, self._splits.test_y
        if x is None or y is None:
            raise NoTestSplit(f"task {self.task.spec.name} has no test split: give its Splits test_x and test_y")
        with Randomness(self._test_seed, self.device).active():
            return self._evaluation("test", x, y, f"the test after epoch {self._done}", is_first=True)

    @property
    def judged(self) -> tuple[str, Inputs, Tensor]:
        """The split by which a finished model is judged: its name, test or else val, with inputs and targets."""
        data = self._splits
        if data.test_x is not None and data.test_y is not None:
            return "test", data.test_x, data.test_y
        return "val", data.val_x, data.val_y

    def keep(self) -> None:
        """Keep a copy of the model as it is, the best so far, in place of an earlier one: see `examine`."""
        self._best = self._done, copied(self.model)

    @property
    def kept_epoch(self) -> int | None:
        """The epoch after which `keep` was last called."""
        return None if self._best is None else self._best[0]

    def check(self, examiner: Examiner) -> None:
        """Return if `examine` can do its work; raises ValueError as `Examiner.check`. Changes no later epoch."""
        with Randomness(self._examination_seed, self.device).active(), unchanged(self.model):
            examiner.check(self.model, self._splits.val_x[:2], self._splits.val_y[:2])

    def examine(
        self, examiner: Examiner, name: str, x: Inputs, y: Tensor | None, *, passes: int, with_probabilities: bool
    ) -> Findings:
        """What the kept model says of inputs x (N, ...) in so many passes, if its noise does not say how many.

        It has the drop rate of its epoch. The random numbers follow from the training's seed and `name`. So they are
        the same after an interruption and whatever else is examined, and no later epoch changes.

        Raises:
            ValueError: no model was kept.
        """
        if self._best is None:
            raise ValueError("no model was kept to be examined")
        epoch, state = self._best
        seed = named_stream(self._examination_seed, name)
        with Randomness(seed, self.device).active(), unchanged(self.model), kept(self.model):
            self.model.load_state_dict(state)
            self._steps.set_to(self._share_done(epoch))
            several = self._passes or mc_passes(self.model, passes)
            found = examiner(self.model, x, y, several, with_probabilities=with_probabilities)
        self._steps.set_to(self._share_done(self._done))
        return found

    def exported(self) -> Exported:
        """The kept model, with the drop rate of its epoch, and its snapshots so far; changes no later epoch.

        Raises:
            ValueError: no model was kept.
        """
        if self._best is None:
            raise ValueError("no model was kept")
        epoch, state = self._best
        schedule = schedules.drop_rate(self._config)
        rate = None if schedule is None else schedule(self._share_done(epoch))
        earlier = [] if self._snapshots is None else self._snapshots.until(self._in_epoch * epoch)
        return exported(self.task, self._config, [state, *earlier], rate)

    def noise(self, *, pairs: int, draws: int) -> dict[str, float]:
        """The figures of `NoiseMeter` for the model as it is now, between two epochs; changes no later epoch."""
        return self._noise_meter(self._share_done(self._done), pairs=pairs, draws=draws)

    def curvature(self, *, samples: int, vectors: int) -> dict[str, float]:
        """The figures of `CurvatureMeter` for the model as it is now, between two epochs; changes no later epoch."""
        return self._curvature_meter(self._share_done(self._done), samples=samples, vectors=vectors)

    def state_dict(self) -> dict[str, Any]:
        """Model, optimizer, epochs done and random states; call it between two epochs."""
        besides: dict[str, Any] = {} if self._snapshots is None else {"snapshots": self._snapshots.state()}
        if self._best is not None:
            besides["best"] = {"epoch": self._best[0], "model": dict(self._best[1])}
        return besides | {
            "epoch": self._done,
            "model": self.model.state_dict(),
            "optimizer": self._driven.state(),
            "order": self._order.get_state(),
            "noise": self._noise.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; the rest equals the uninterrupted training's, on a CPU bit for bit.

        Raises:
            ValueError, or any error of torch: it is no state of such a training; this one must not be used any more.
        """
        require_fit(state, self.state_dict(), None if self._driven.is_own else self._driven.optimizer)
        self.model.load_state_dict(state["model"])
        self._driven.load(state["optimizer"])
        self._order.set_state(state["order"])
        self._noise.load_state_dict(state["noise"])
        if self._snapshots is not None:
            self._snapshots.load(state["snapshots"], self._in_epoch * state["epoch"])
        if "best" in state:
            best = state["best"]["model"]
            self._best = state["best"]["epoch"], {name: tensor.to(self.device) for name, tensor in best.items()}
        self._done = state["epoch"]

    def _epoch(self, number: int) -> Epoch:
        started = perf_counter()
        metrics = self._train(number)
        metrics["train_seconds"] = perf_counter() - started
        data = self._splits
        metrics |= self._evaluation("train", data.train_x, data.train_y, f"epoch {number}", is_first=number == 1)
        metrics |= self._evaluation("val", data.val_x, data.val_y, f"epoch {number}", is_first=number == 1)
        pairs, draws = self._config.mask_noise_pairs, self._config.masked_loss_draws
        metrics |= self._noise_meter(self._share_done(number), pairs=pairs, draws=draws)
        if self._curvature_meter.is_due(number, self._epochs):
            samples, vectors = self._config.curvature_samples, self._config.curvature_vectors
            metrics |= self._curvature_meter(self._share_done(number), samples=samples, vectors=vectors)
        metrics |= peak_memory(self.device)
        return Epoch(number, metrics, perf_counter() - started)

    def _evaluation(self, split: str, x: Inputs, y: Tensor, when: str, *, is_first: bool) -> dict[str, float]:
        figures = evaluate(self.task, self.model, x, y, self._passes, of=f"the {split} inputs")
        if not math.isfinite(figures["loss"]):
            rate, data = self._config.learning_rate, self._splits
            raise NonFiniteLoss(f"{split}_loss", figures["loss"], when, rate, split=split, data=data, is_first=is_first)
        if self._snapshots is not None:
            figures |= self._snapshots.figures(x, y, self._passes)
        return {f"{split}_{name}": value for name, value in figures.items()}

    def _share_done(self, epochs: int) -> float:
        """The share of the steps before the last one of so many epochs, in [0, 1)."""
        return max(self._in_epoch * epochs - 1, 0) / (self._in_epoch * self._epochs)

    def _train(self, number: int) -> dict[str, float]:
        data = self._splits
        order = torch.randperm(len(data.train_x), generator=self._order)
        losses, sizes = [], []
        self.model.train()
        self._steps.begin(number)
        steps = enumerate(
            batches(data.train_x, data.train_y, order, self._config.batch_size), self._in_epoch * self._done
        )
        for step, (x, y) in steps:
            losses.append(self._steps(x, y, step, self._all))
            if self._snapshots is not None:
                self._snapshots.after(step)
            sizes.append(len(y))
        self._steps.end()
        step_loss = mean_step_loss(losses, sizes, number, self._config.learning_rate, data)
        return {"train_step_loss": step_loss, "train_gradient_norm": _gradient_norm(self.model).item()}


def _first(x: Inputs, size: int) -> Inputs:
    """A copy of the first samples, as of those of a step: in training a model may change its inputs."""
    return x[torch.arange(min(size, len(x)), device=x.device)]


def _gradient_norm(model: nn.Module) -> Tensor:
    """The Euclidean length of the gradient that the model holds, a scalar on its device."""
    return torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
