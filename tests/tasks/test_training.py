import copy
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from tests.tasks.trainings import CPU, VARIANTS, curves, figures, training
from workers.tasks import Splits, Task, load_task
from workers.training import NonFiniteLoss, NoTestSplit, Training
from workers.training.evaluation import evaluate, evaluation_batch

variants = pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.variant)


@variants
def test_the_same_seed_gives_the_same_curves_bit_for_bit(few_digits: Task, config: TrialConfig) -> None:
    first = training(few_digits, config)
    torch.manual_seed(99)  # the process's own randomness is none of a training's business
    second = training(few_digits, config)
    assert curves(first) == curves(second)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)


@variants
def test_a_resumed_training_equals_the_uninterrupted_one_bit_for_bit(few_digits: Task, config: TrialConfig) -> None:
    whole = training(few_digits, config, epochs=3)
    expected = curves(whole)
    broken = training(few_digits, config, epochs=3)
    next(broken.epochs())
    state = copy.deepcopy(broken.state_dict())
    next(broken.epochs())  # lost: what happened after the state was taken must not matter
    resumed = training(few_digits, config, epochs=3, seed=4)  # nor does what it began with
    resumed.load_state_dict(state)
    assert curves(resumed) == expected[1:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


@pytest.mark.parametrize("name", ["few_words", "few_documents"])
@pytest.mark.parametrize("regularizer", ["dropout", "pernodedrop"])
def test_every_task_repeats_and_resumes_bit_for_bit(
    name: str, regularizer: str, request: pytest.FixtureRequest
) -> None:
    task: Task = request.getfixturevalue(name)
    config = TrialConfig(regularizer=regularizer, units=8, batch_size={"few_words": 4, "few_documents": 16}[name])  # type: ignore[arg-type]
    expected = curves(training(task, config))
    broken = training(task, config)
    first = figures(next(broken.epochs()))
    resumed = training(task, config, seed=4)
    resumed.load_state_dict(broken.state_dict())
    assert [first, *curves(resumed)] == expected


def test_a_state_survives_its_file(few_digits: Task, tmp_path: Path) -> None:
    run = training(few_digits, TrialConfig(regularizer="dropout", batch_size=32))
    next(run.epochs())
    torch.save(run.state_dict(), tmp_path / "state.pt")
    resumed = training(few_digits, TrialConfig(regularizer="dropout", batch_size=32))
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert curves(resumed) == curves(run)


@pytest.mark.parametrize("regularizer", ["none", "dropout", "pernodedrop"])
def test_seeds_differ(few_digits: Task, regularizer: str) -> None:
    config = TrialConfig(regularizer=regularizer, batch_size=32)  # type: ignore[arg-type]
    one, other = training(few_digits, config, seed=1), training(few_digits, config, seed=2)
    assert curves(one)[0]["train_loss"] != curves(other)[0]["train_loss"]


def test_two_trainings_in_turn_do_not_disturb_each_other(few_digits: Task) -> None:
    dropout, dropconnect = (TrialConfig(regularizer=name, batch_size=32) for name in ("dropout", "dropconnect"))
    alone = curves(training(few_digits, dropout)), curves(training(few_digits, dropconnect))
    one, other = training(few_digits, dropout), training(few_digits, dropconnect)
    turns = list(zip(one.epochs(), other.epochs(), strict=True))
    assert ([figures(a) for a, _ in turns], [figures(b) for _, b in turns]) == alone


def test_the_process_keeps_its_own_random_numbers(few_digits: Task) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    curves(training(few_digits, TrialConfig(regularizer="dropout", batch_size=32)))
    assert torch.equal(torch.rand(3), expected)


def test_the_updated_model_is_measured_on_whole_splits_without_noise(few_digits: Task) -> None:
    run = training(few_digits, TrialConfig(regularizer="dropout", batch_size=32), epochs=1)
    (epoch,) = run.epochs()
    data, model = few_digits.splits(CPU), run.model.eval()
    with torch.no_grad():
        for split, x, y in (("train", data.train_x, data.train_y), ("val", data.val_x, data.val_y)):
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y).item()
            assert epoch.metrics[f"{split}_loss"] == pytest.approx(loss, rel=1e-5)
            accuracy = (outputs.argmax(1) == y).double().mean().item()
            assert epoch.metrics[f"{split}_accuracy"] == pytest.approx(accuracy)
    assert epoch.number == 1
    assert 0 < epoch.metrics["train_seconds"] < epoch.seconds
    assert "train_peak_bytes" not in epoch.metrics  # a GPU's


def test_the_gradient_norm_is_that_of_the_last_step(line: Task) -> None:
    run = training(line, TrialConfig(batch_size=10, learning_rate=1e-12), epochs=1)
    (epoch,) = run.epochs()
    x = line.splits(CPU).train_x
    # the mean of (w x - 2 x)^2 has the derivative 2 (w - 2) mean(x^2) at w = 1
    assert epoch.metrics["train_gradient_norm"] == pytest.approx(2 * (x**2).mean().item())


def test_the_test_split_is_measured_when_asked_for(few_digits: Task) -> None:
    run = training(few_digits, TrialConfig(regularizer="dropout", batch_size=32), epochs=1)
    (epoch,) = run.epochs()
    assert not [name for name in epoch.metrics if name.startswith("test_")]
    data = few_digits.splits(CPU)
    found = run.test()
    with torch.no_grad():
        outputs = run.model.eval()(data.test_x)
    assert set(found) == {"test_loss", "test_accuracy", "test_ece", "test_brier"}
    assert found["test_loss"] == pytest.approx(nn.functional.cross_entropy(outputs, data.test_y).item(), rel=1e-5)
    assert found["test_accuracy"] == pytest.approx((outputs.argmax(1) == data.test_y).double().mean().item())


def test_a_test_in_between_changes_nothing_that_follows(few_digits: Task) -> None:
    config = TrialConfig(regularizer="pernodedrop", batch_size=32)
    expected = curves(training(few_digits, config))
    run, found = training(few_digits, config), []
    tests = []
    for epoch in run.epochs():
        found.append(figures(epoch))
        tests.append((run.test(), run.test()))
    assert found == expected
    assert all(one == other for one, other in tests)
    assert tests[0] != tests[1]


def test_a_task_without_a_test_split_says_so(line: Task) -> None:
    with pytest.raises(NoTestSplit, match="task line has no test split: give its Splits test_x and test_y"):
        training(line, TrialConfig()).test()


def test_learns_digits() -> None:
    task = load_task(TaskSpec(name="digits"), Path())
    *_, last = training(task, TrialConfig(regularizer="dropout", drop_rate=0.2), epochs=8).epochs()
    assert last.metrics["val_accuracy"] > 0.8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_trains_on_a_gpu_and_leaves_its_random_numbers_alone(few_digits: Task) -> None:
    gpu = torch.device("cuda:0")
    before = torch.cuda.get_rng_state(gpu)
    run = Training(few_digits, TrialConfig(regularizer="dropout", batch_size=32), epochs=20, seed=0, device=gpu)
    *_, last = run.epochs()
    assert {p.device for p in run.model.parameters()} == {gpu}
    assert last.metrics["train_accuracy"] > 0.5
    assert last.metrics["train_peak_bytes"] > sum(p.nbytes for p in run.model.parameters())
    assert torch.equal(torch.cuda.get_rng_state(gpu), before)


def test_facts_say_what_ran(few_digits: Task) -> None:
    facts = training(few_digits, TrialConfig(regularizer="pernodedrop", stir_type="gaussian")).facts
    assert facts["backend"] == "reparameterized"
    assert facts["parameters"] == 17_866
    assert (facts["device"], facts["threads"]) == ("cpu", torch.get_num_threads())
    assert facts["torch"] == torch.__version__
    assert (facts["train_samples"], facts["val_samples"]) == (70, 40)


def test_facts_say_what_masksembles_drops(few_digits: Task) -> None:
    facts = training(few_digits, TrialConfig(regularizer="masksembles", drop_rate=0.5)).facts
    assert facts["effective_drop_rate"] == pytest.approx(1 - 0.5 / (1 - 0.5**4))
    assert facts["backend"] == "torch"
    assert "effective_drop_rate" not in training(few_digits, TrialConfig()).facts


def test_divergence_names_epoch_step_rate_and_remedy(few_digits: Task) -> None:
    run = training(few_digits, TrialConfig(learning_rate=1e30, batch_size=32))
    with pytest.raises(
        NonFiniteLoss,
        match=r"loss became (nan|inf) in epoch 1, step 2 \(learning_rate 1e\+30\): lower the learning rate",
    ):
        next(run.epochs())


@dataclass
class Scripted(nn.Module):
    """A model whose outputs are what the test needs: one weight, and a log of what it was shown."""

    scale: float

    def __post_init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(self.scale))
        self.batches: list[int] = []

    __hash__ = nn.Module.__hash__

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.batches.append(len(x))
        return x * self.weight


class Line(Task):
    """y = 2 x in one weight, mean squared error."""

    def load(self, device: torch.device) -> Splits:
        x = torch.linspace(-1, 1, 10, device=device)
        return Splits(x, 2 * x, x[:4], 2 * x[:4])

    def build(self, config: TrialConfig) -> nn.Module:
        return Scripted(float(config.extra.get("scale", 1.0)))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"largest_error": (outputs - targets).abs().max()}


@pytest.fixture
def line() -> Task:
    return Line(TaskSpec(name="line"), Path())


def test_every_sample_is_seen_once_an_epoch_and_the_last_batch_counts_by_its_size(line: Task) -> None:
    run = training(line, TrialConfig(batch_size=4, learning_rate=1e-12), epochs=1)
    (epoch,) = run.epochs()
    assert run.model.batches == [4, 4, 2]
    assert epoch.metrics["train_step_loss"] == pytest.approx(epoch.metrics["train_loss"], rel=1e-5)


def test_a_task_names_its_own_loss_and_metrics(line: Task) -> None:
    (epoch,) = training(line, TrialConfig(batch_size=4, learning_rate=0.1), epochs=1).epochs()
    assert {"train_loss", "train_largest_error", "val_loss", "val_largest_error"} <= set(epoch.metrics)
    assert "val_accuracy" not in epoch.metrics


def test_a_model_that_breaks_in_the_last_step_is_found_by_the_evaluation(line: Task) -> None:
    run = training(line, TrialConfig(batch_size=10, learning_rate=1e38), epochs=1)
    with pytest.raises(NonFiniteLoss, match=r"train_loss became inf in epoch 1 \(learning_rate 1e\+38\)"):
        next(run.epochs())


def test_evaluation_in_pieces_equals_evaluation_at_once(few_digits: Task) -> None:
    run = training(few_digits, TrialConfig())
    data = few_digits.splits(CPU)
    x, y = data.train_x.repeat(60, 1, 1, 1), data.train_y.repeat(60)
    assert len(x) > evaluation_batch(x)
    whole = few_digits.loss(run.model.eval()(x), y).item()
    assert evaluate(few_digits, run.model, x, y)["loss"] == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 8, 8), 2048), ((1, 128, 128), 64), ((4, 1024, 1024), 4), ((4, 4096, 4096), 1)]
)
def test_large_samples_are_evaluated_a_few_at_a_time(shape: tuple[int, int, int], expected: int) -> None:
    assert evaluation_batch(torch.empty(1, *shape).expand(3, -1, -1, -1)) == expected
