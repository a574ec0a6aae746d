"""What a model, a loss or a metric changes in place is read again: it is refused, and what changes no number is not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, training
from workers.tasks import Splits, Streamed
from workers.training.in_place import ChangedInPlace, Watched

CONFIG = TrialConfig(units=12)
NAME = "tests.tasks.test_slots:Circles"
REMEDY = "because they are read again: compute new ones, as x = x * 2 does and x *= 2 or x.mul_(2) does not"


class First(nn.Module):
    """Does something to the inputs before the model sees them."""

    def __init__(self, change: Callable[[Any], Any], model: nn.Module) -> None:
        super().__init__()
        self.change, self.model = change, model

    def forward(self, x: Any) -> Tensor:
        outputs: Tensor = self.model(self.change(x))
        return outputs


def with_model(change: Callable[[Any], Any], wrapped: Callable[[Any], Any] = lambda x: x) -> Circles:
    class Changing(Circles):
        def load(self, device: torch.device) -> Splits:
            data = super().load(device)
            return Splits(wrapped(data.train_x), data.train_y, wrapped(data.val_x), data.val_y)

        def build(self, config: TrialConfig) -> nn.Module:
            return First(change, super().build(config))

    return Changing()


def subtracted(x: Tensor) -> Tensor:
    x -= x.mean(0)
    return x


def refused(task: Circles, config: TrialConfig = CONFIG) -> str:
    with pytest.raises(ChangedInPlace) as error:
        curves(training(task, config))
    return str(error.value)


@pytest.mark.parametrize(
    "change",
    [lambda x: x.mul_(2), subtracted, lambda x: x.masked_fill_(x > 1, 0.0), lambda x: nn.functional.relu(x, True)],
    ids=["mul_", "-=", "masked_fill_", "relu"],
)
def test_a_model_that_changes_its_inputs(change: Callable[[Tensor], Tensor]) -> None:
    assert (
        refused(with_model(change)) == f"the model of task {NAME} must not change the train inputs in place, {REMEDY}"
    )


def test_a_model_that_changes_a_part_of_its_inputs() -> None:
    task = with_model(lambda parts: parts["a"][0].add_(1), lambda x: {"a": (x,)})
    assert refused(task).startswith(f"the model of task {NAME} must not change the train inputs in place")


def test_a_model_that_changes_what_several_passes_read() -> None:
    class Read:
        def __init__(self, x: Tensor) -> None:
            self._x = x

        def __len__(self) -> int:
            return len(self._x)

        def __getitem__(self, number: int) -> Tensor:
            return self._x[number]

    task = with_model(lambda x: x.mul_(2), lambda x: Streamed(Read(x), CPU))
    assert "must not change" in refused(task, TrialConfig("masksembles", units=12))


def test_what_changes_in_training_alone_does_not_reach_the_data() -> None:
    class Noisy(Circles):
        def build(self, config: TrialConfig) -> nn.Module:
            model = super().build(config)
            return First(lambda x: x.add_(1) if model.training else x, model)

    task = Noisy()
    before = task.splits(CPU).train_x[:].clone()  # type: ignore[union-attr]
    curves(training(task, CONFIG))
    assert torch.equal(task.splits(CPU).train_x, before)  # type: ignore[arg-type]


def test_another_shape_is_no_other_number() -> None:
    class Shaped(Circles):
        def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return super().metrics(outputs, targets.unsqueeze_(1).squeeze(1))

    usual = curves(training(Circles(), CONFIG))
    assert curves(training(Shaped(), CONFIG)) == usual
    assert curves(training(with_model(lambda x: x.unsqueeze_(1).squeeze(1)), CONFIG)) == usual


@pytest.mark.parametrize("of", ["outputs", "targets"])
def test_metrics_that_change_what_they_are_given(of: str) -> None:
    class Scored(Circles):
        def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            (outputs if of == "outputs" else targets).mul_(0)
            return {"constant": torch.tensor(0.5)}

    assert refused(Scored()) == f"metrics of task {NAME} must not change the {of} in place, {REMEDY}"


def test_a_loss_that_changes_the_targets() -> None:
    class Lost(Circles):
        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return nn.functional.cross_entropy(outputs, targets.clamp_(max=0))

    assert refused(Lost()) == f"the loss of task {NAME} must not change the targets in place, {REMEDY}"


def test_metrics_of_the_model_that_change_the_inputs() -> None:
    class Measured(Circles):
        def model_metrics(self, model: nn.Module, inputs: Any) -> dict[str, Tensor]:
            return {"size": inputs.abs_().mean()}

    assert refused(Measured()).startswith(f"model_metrics of task {NAME} must not change the inputs in place")


def test_what_a_slice_changes_is_a_change_of_the_whole() -> None:
    x = torch.ones(6, 2)
    seen = Watched({"x": x})
    assert not seen.changed
    with torch.inference_mode():
        x[2:4].zero_()
    assert seen.changed
