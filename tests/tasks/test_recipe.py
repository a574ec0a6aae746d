"""The training recipe: its defaults are those of before, every choice does what it says, and all of it resumes."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropConv2d, PerNodeDropLinear
from search_spaces import TaskSpec, TrialConfig
from search_spaces.parameters import AUGMENTATIONS, DROP_RATE_SCHEDULES, LEARNING_RATE_SCHEDULES, OPTIMIZERS
from search_spaces.trial_config import RECIPE
from tests.tasks.trainings import VARIANTS, curves, few_digits_of, figures, training
from workers.tasks import Task
from workers.training import augmentations, optimizers, schedules
from workers.training.augmentations import flip_crop
from workers.training.optimizers import optimizer_of

RECORDED: dict[str, list[dict[str, float]]] = json.loads((Path(__file__).parent / "recorded_curves.json").read_text())
CONFIG = TrialConfig(regularizer="pernodedrop", batch_size=32, drop_rate=0.3)
RECIPES = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "nesterov": {"optimizer": "nesterov", "learning_rate": 0.05, "weight_decay": 0.01, "weight_decay_on": "all"},
    "cosine": {"learning_rate_schedule": "cosine", "warmup": 0.2},
    "one_cycle": {"learning_rate_schedule": "one_cycle"},
    "step": {"learning_rate_schedule": "step"},
    "snapshot": {"learning_rate_schedule": "snapshot", "learning_rate_cycles": 2},
    "clipped": {"gradient_clip": 0.05},
    "smoothed": {"label_smoothing": 0.1},
    "augmented": {"augmentation": "flip_crop"},
    "curriculum": {"drop_rate_schedule": "curriculum"},
    "early": {"drop_rate_schedule": "early"},
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_defaults_train_what_was_recorded_before_there_was_a_recipe(name: str) -> None:
    """Exact on the machine of the recording; another processor sums in another order."""
    *where, variant = name.split()
    task = few_digits_of(where[0], "bfloat16" if "bfloat16" in where else "float32")
    config = next(config for config in VARIANTS if config.variant == variant)
    suffix = "_one_mask" if variant == "masksembles" else ""
    rel = 2e-2 if "bfloat16" in where else 1e-4
    for found, expected in zip(curves(training(task, config)), RECORDED[name], strict=True):
        for metric, value in expected.items():
            step = metric in ("train_step_loss", "train_gradient_norm")
            name_now = metric if step else metric + suffix
            assert found[name_now] == pytest.approx(value, rel=rel, abs=0.03 if "accuracy" in metric else 0.0)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_every_choice_changes_the_training_repeats_and_resumes_bit_for_bit(recipe: dict[str, object]) -> None:
    task, config = few_digits_of("paper"), replace(CONFIG, **recipe)  # type: ignore[arg-type]
    expected = curves(training(task, config, epochs=3))
    assert expected != curves(training(task, replace(CONFIG, learning_rate=config.learning_rate), epochs=3))
    assert expected == curves(training(task, config, epochs=3))
    broken = training(task, config, epochs=3)
    first = figures(next(broken.epochs()))
    resumed = training(task, config, epochs=3, seed=4)
    resumed.load_state_dict(copy.deepcopy(broken.state_dict()))
    assert [first, *curves(resumed)] == expected


def test_what_may_be_searched_is_what_is_built() -> None:
    assert set(OPTIMIZERS) == set(optimizers.OPTIMIZERS)
    assert set(LEARNING_RATE_SCHEDULES) == set(schedules.LEARNING_RATES)
    assert set(DROP_RATE_SCHEDULES) == {"constant", *schedules.DROP_RATES}
    assert set(AUGMENTATIONS) == {"none", *augmentations.AUGMENTATIONS}


@pytest.mark.parametrize(
    "name, build",
    [
        ("cosine", lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)),
        ("step", lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [20, 30], 0.1)),
    ],
)
def test_learning_rates_are_those_of_torch(
    name: str, build: Callable[..., torch.optim.lr_scheduler.LRScheduler]
) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.4)
    theirs = build(optimizer)
    schedule = schedules.learning_rate(TrialConfig(learning_rate=0.4, learning_rate_schedule=name), 40)
    assert schedule is not None
    for step in range(40):
        assert schedule(step / 40) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_one_cycle_has_the_ends_and_the_top_of_torchs() -> None:
    schedule = schedules.learning_rate(
        TrialConfig(learning_rate=0.4, learning_rate_schedule="one_cycle", warmup=0.25), 40
    )
    assert schedule is not None
    found = [schedule(share) for share in (0.0, 0.25, 1.0)]
    assert found == pytest.approx([0.4 / 25, 0.4, 0.4 / 25 / 1e4])
    assert schedule(0.125) == pytest.approx((0.4 + 0.4 / 25) / 2)


def test_a_warm_up_rises_from_nothing_to_the_rate() -> None:
    schedule = schedules.learning_rate(TrialConfig(learning_rate=0.4, warmup=0.2), 40)
    assert schedule is not None
    assert [schedule(share) for share in (0.0, 0.1, 0.2, 0.9)] == pytest.approx([0.0, 0.2, 0.4, 0.4])


@pytest.mark.parametrize(
    "name, share, expected",
    [
        ("linear_up", 0.5, [0.0, 0.16, 0.32]),
        ("linear_down", 0.5, [0.4, 0.24, 0.08]),
        ("curriculum", 0.5, [0.0, 0.4 * (1 - math.exp(-4)), 0.4 * (1 - math.exp(-8))]),
        ("annealed", 0.5, [0.4, 0.08, 0.0]),
        ("annealed", 1.0, [0.4, 0.24, 0.08]),
        ("early", 0.5, [0.4, 0.4, 0.0]),
        ("late", 0.5, [0.0, 0.0, 0.4]),
    ],
)
def test_drop_rates_follow_their_published_curves(name: str, share: float, expected: list[float]) -> None:
    config = TrialConfig("dropout", drop_rate=0.4, drop_rate_schedule=name, drop_rate_share=share)
    schedule = schedules.drop_rate(config)
    assert schedule is not None
    assert [schedule(done) for done in (0.0, 0.4, 0.8)] == pytest.approx(expected)


def rate_of(slot: nn.Module) -> float:
    for module in slot.modules():
        for name in ("drop_rate", "p"):
            if hasattr(module, name):
                return float(getattr(module, name))
    raise AssertionError("no rate")


@pytest.mark.parametrize("backbone", ["paper", "lstm"])
@pytest.mark.parametrize("regularizer", ["dropout", "gaussian_dropout", "dropconnect", "pernodedrop"])
def test_every_slot_draws_at_the_scheduled_rate(backbone: str, regularizer: str) -> None:
    config = TrialConfig(regularizer, drop_rate=0.4, batch_size=35, drop_rate_schedule="linear_down")
    run = training(few_digits_of(backbone), config, epochs=2)
    slots = [layer for name, layer in run.model.named_modules() if name.rpartition(".")[2] == "slot"]
    assert [rate_of(slot) for slot in slots] == pytest.approx([0.4] * len(slots))
    for _ in run.epochs():
        pass
    assert [rate_of(slot) for slot in slots] == pytest.approx([0.1] * len(slots))  # before the last of 4 steps


def test_early_dropout_is_dropout_and_then_none() -> None:
    """With all its rate in the first epoch, the second trains as `none` does from the same state."""
    task = few_digits_of("paper")
    early = training(task, TrialConfig("dropout", drop_rate=0.4, batch_size=32, drop_rate_schedule="early"))
    plain = training(task, TrialConfig("none", batch_size=32))
    first = next(early.epochs())
    assert figures(first) == curves(training(task, TrialConfig("dropout", drop_rate=0.4, batch_size=32)))[0]
    state = copy.deepcopy(early.state_dict())
    plain.load_state_dict(state)
    assert curves(early) == curves(plain)


def test_masks_that_are_drawn_once_refuse_a_schedule() -> None:
    task = few_digits_of("paper")
    for config in (TrialConfig("masksembles"), TrialConfig("pernodedrop", mask_mode="fixed")):
        with pytest.raises(ValueError, match=r"drop_rate_schedule must be constant .* draws its masks once"):
            training(task, replace(config, drop_rate_schedule="linear_up"))
    assert training(task, TrialConfig("none", drop_rate_schedule="linear_up"))


def test_a_layer_with_a_fixed_mask_refuses_another_rate_by_itself() -> None:
    layer, convolution = PerNodeDropLinear(4, 2, mask_mode="fixed"), PerNodeDropConv2d(1, 2, 1)
    with pytest.raises(ValueError, match=r"draws its masks once: its drop rate must stay, got 0\.2"):
        layer.drop_rate = 0.2
    convolution.drop_rate = 0.2
    assert (layer.stir.drop_rate, convolution.stir.drop_rate) == (0.5, 0.2)
    with pytest.raises(ValueError, match=r"drop_rate must lie in \[0, 1\), got 1.0"):
        convolution.drop_rate = 1.0


def test_weight_decay_leaves_biases_and_normalizations_unless_asked() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    config = TrialConfig(optimizer="adamw", weight_decay=0.1)
    decayed, left = optimizer_of(model, config).param_groups
    assert [parameter.dim() for parameter in decayed["params"]] == [2, 2]
    assert {parameter.dim() for parameter in left["params"]} == {1}
    assert (decayed["weight_decay"], left["weight_decay"]) == (0.1, 0.0)
    (everything,) = optimizer_of(model, replace(config, weight_decay_on="all")).param_groups
    assert len(everything["params"]) == 6


@pytest.mark.parametrize("name, kind", [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD"), ("nesterov", "SGD")])
def test_optimizers_are_torchs(name: str, kind: str) -> None:
    optimizer = optimizer_of(nn.Linear(2, 2), TrialConfig(optimizer=name, momentum=0.7, learning_rate=0.2))
    [group] = optimizer.param_groups
    assert type(optimizer).__name__ == kind
    assert group["lr"] == 0.2
    assert group.get("momentum") == (0.7 if kind == "SGD" else None)
    assert bool(group.get("nesterov")) == (name == "nesterov")
    assert group.get("weight_decay") == 0.0


def test_a_clipped_gradient_is_no_longer_than_the_bound() -> None:
    task = few_digits_of("paper")
    free = curves(training(task, CONFIG))[0]["train_gradient_norm"]
    assert (
        curves(training(task, replace(CONFIG, gradient_clip=free / 10)))[0]["train_gradient_norm"] <= free / 10 * 1.0001
    )


def test_smoothed_labels_are_torchs() -> None:
    outputs, targets = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    task = few_digits_of("paper")
    expected = nn.functional.cross_entropy(outputs, targets, label_smoothing=0.2)
    assert torch.equal(task.smoothed_loss(outputs, targets, 0.2), expected)


def test_a_task_with_a_loss_of_its_own_refuses_smoothing_and_foreign_augmentations(line: Task) -> None:
    with pytest.raises(NotImplementedError, match="has a loss of its own: label_smoothing above 0 needs its method"):
        curves(training(line, TrialConfig(label_smoothing=0.1)))
    with pytest.raises(ValueError, match="augmentation must be of none for task line, got flip_crop"):
        training(line, TrialConfig(augmentation="flip_crop"))


def images(samples: int = 64) -> Tensor:
    return (1.0 + torch.arange(16 * 24).reshape(1, 1, 16, 24)).expand(samples, 2, 16, 24)


def test_images_are_mirrored_and_shifted_by_an_eighth_at_most() -> None:
    torch.manual_seed(1)
    x = images(400)
    y = flip_crop(x)
    assert y.shape == x.shape
    assert torch.equal(y[:, 0], y[:, 1])  # channels move together
    found = set()
    for image in y[:, 0]:
        middle = image[8, 11:13]  # never from outside: the image's own pixels
        mirrored = bool(middle[1] < middle[0])
        row, column = divmod(int(middle[0]) - 1, 24)
        found.add((mirrored, row - 8, (12 if mirrored else 11) - column))
    assert {mirrored for mirrored, _, _ in found} == {False, True}
    assert {shift for _, shift, _ in found} == set(range(-2, 3))
    assert {shift for _, _, shift in found} == set(range(-3, 4))
    assert (y == 0).any()


def test_augmentation_draws_anew_repeats_with_its_seed_and_keeps_the_memory_format() -> None:
    x = torch.randn(8, 3, 16, 16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.manual_seed(4)
    first, second = flip_crop(x), flip_crop(x)
    torch.manual_seed(4)
    assert torch.equal(flip_crop(x), first)
    assert not torch.equal(first, second)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_a_recipe_by_its_defaults_is_unseen() -> None:
    """Checkpoints of before are recognised by the config's text."""
    assert not [name for name in RECIPE if name in repr(TrialConfig())]
    assert repr(TrialConfig()) == (
        "TrialConfig(regularizer='none', stir_type='bernoulli', mask_mode='dynamic', drop_rate=0.5, "
        "noisy_fraction=1.0, units=64, activation='relu', learning_rate=0.001, batch_size=128, extra={})"
    )
    assert "optimizer='sgd'" in repr(TrialConfig(optimizer="sgd"))
    assert repr(TrialConfig.from_params({"units": 8})) == repr(TrialConfig(units=8))


def test_names_that_own_tasks_had_before_are_still_in_extra() -> None:
    config = TrialConfig.from_params({"weight_decay": 0.1, "optimizer": "lamb", "depth": 2})
    assert dict(config.extra) == {"weight_decay": 0.1, "optimizer": "lamb", "depth": 2}
    assert (config.weight_decay, config.optimizer) == (0.1, "adam")
    assert TrialConfig.from_params(config.as_params()) == config
    direct = TrialConfig(optimizer="sgd")
    assert TrialConfig.from_params(direct.as_params()) == direct


@pytest.fixture
def line() -> Task:
    from tests.tasks.test_training import Line

    return Line(TaskSpec(name="line"), Path())
