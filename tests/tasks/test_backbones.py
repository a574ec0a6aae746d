"""Every backbone with every variant in its slots."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from pernodedrop import DropConnectLinear
from search_spaces import Precision, TaskSpec, TrialConfig
from tests.tasks.trainings import VARIANTS, curves, few_digits_of, figures, regularized, training
from workers.tasks import InvalidOptions, Task, load_task
from workers.tasks.backbones import BACKBONES, Frames, Patches, Rows, Tokens, build_backbone

backbones = pytest.mark.parametrize("backbone", BACKBONES)
precisions = pytest.mark.parametrize(
    "precision", [pytest.param(one, marks=pytest.mark.wide) if one != "float32" else one for one in get_args(Precision)]
)
variants = pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.variant)


def build(
    backbone: str,
    config: TrialConfig,
    *,
    shape: tuple[int, int, int] = (1, 8, 8),
    tokens: type[Tokens] = Rows,
    seed: int = 0,
) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return regularized(build_backbone(backbone, shape, 10, config, tokens=tokens), config, backbone)


@precisions
@backbones
@variants
def test_trains_repeats_and_resumes_bit_for_bit(precision: Precision, backbone: str, config: TrialConfig) -> None:
    task = few_digits_of(backbone, precision)
    expected = curves(training(task, config))
    broken = training(task, config)
    first = figures(next(broken.epochs()))
    resumed = training(task, config, seed=4)
    resumed.load_state_dict(copy.deepcopy(broken.state_dict()))
    assert [first, *curves(resumed)] == expected
    assert expected[1]["train_loss"] < expected[0]["train_loss"]


@precisions
@backbones
@variants
def test_rate_zero_is_no_regularizer(precision: Precision, backbone: str, config: TrialConfig) -> None:
    task, plain = few_digits_of(backbone, precision), TrialConfig(regularizer="none", batch_size=32)
    assert curves(training(task, replace(config, drop_rate=0.0))) == curves(training(task, plain))


@backbones
@variants
def test_every_variant_starts_from_the_same_weights(backbone: str, config: TrialConfig) -> None:
    plain = dict(build(backbone, TrialConfig(regularizer="none")).named_parameters())
    model = dict(build(backbone, config).named_parameters())
    assert plain.keys() == model.keys()
    assert all(torch.equal(plain[name], model[name]) for name in plain)


@backbones
def test_noise_is_in_training_alone(backbone: str) -> None:
    model, x = build(backbone, TrialConfig(regularizer="pernodedrop")), torch.randn(8, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("backbone", "slots"), [("paper", 1), ("resnet", 1), ("transformer", 2), ("lstm", 2), ("gru", 2), ("mlp", 2)]
)
def test_has_its_slots(backbone: str, slots: int) -> None:
    model = build(backbone, TrialConfig(regularizer="dropconnect"))
    assert sum(isinstance(module, DropConnectLinear) for module in model.modules()) == slots


@pytest.mark.parametrize(
    ("shape", "tokens", "length", "features"),
    [
        ((3, 32, 32), Patches, 64, 48),
        ((1, 128, 128), Frames, 128, 128),
        ((3, 8, 10), Rows, 8, 30),
        ((2, 6, 9), Frames, 9, 12),
    ],
)
def test_tokens(shape: tuple[int, int, int], tokens: type[Tokens], length: int, features: int) -> None:
    cut = tokens(shape)
    assert (cut.length, cut.features) == (length, features)
    assert cut(torch.zeros(2, *shape)).shape == (2, length, features)


def test_tokens_hold_what_their_names_say() -> None:
    x = torch.arange(2 * 8 * 8).reshape(1, 2, 8, 8).float()
    assert torch.equal(Rows((2, 8, 8))(x)[0, 3], torch.cat([x[0, 0, 3], x[0, 1, 3]]))
    assert torch.equal(Frames((2, 8, 8))(x)[0, 3], torch.cat([x[0, 0, :, 3], x[0, 1, :, 3]]))
    assert torch.equal(Patches((2, 8, 8))(x)[0, 1], x[0, :, :4, 4:].flatten())


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("shape", "tokens"), [((3, 32, 32), Patches), ((1, 128, 128), Frames)])
def test_takes_images_and_spectrograms(backbone: str, shape: tuple[int, int, int], tokens: type[Tokens]) -> None:
    model = build(backbone, TrialConfig(units=32), shape=shape, tokens=tokens)
    x = torch.randn(2, *shape).to(memory_format=torch.channels_last)
    assert model(x).shape == (2, 10)


@pytest.mark.parametrize("regularizer", ["dropout", "gaussian_dropout", "masksembles"])
@pytest.mark.parametrize("backbone", ["lstm", "gru"])
def test_all_steps_of_a_recurrence_share_their_samples_noise(backbone: str, regularizer: str) -> None:
    entry = build(backbone, TrialConfig(regularizer=regularizer)).get_submodule("entry.slot")  # type: ignore[arg-type]
    noise = entry.regularizer(torch.ones(16, 5, 64))
    assert torch.equal(noise, noise[:, :1].expand_as(noise))
    assert not torch.equal(noise[0], noise[-1])


def test_a_pernodedrop_mask_is_shared_by_the_tokens_of_a_sample() -> None:
    slot = build("gru", TrialConfig(regularizer="pernodedrop")).get_submodule("entry.slot")
    y = slot(torch.randn(3, 1, 64).expand(3, 5, 64))
    assert torch.equal(y, y[:, :1].expand_as(y))


@pytest.mark.parametrize(
    ("task", "offered"),
    [
        ("cifar10", "paper, resnet, transformer, mlp"),
        ("rcv1", "paper"),
        ("digits", "paper, resnet, transformer, lstm, gru, mlp"),
    ],
)
@pytest.mark.parametrize("wrong", ["vgg", 3, True])
def test_a_backbone_that_the_task_has_not_is_refused_in_one_line(task: str, offered: str, wrong: str | int) -> None:
    with pytest.raises(InvalidOptions) as refusal:
        load_task(TaskSpec(name=task, options={"backbone": wrong}), Path())
    assert str(refusal.value) == f"task.options.backbone of {task} must be one of {offered}, got {wrong!r}"


def test_the_paper_s_backbone_is_the_default(few_digits: Task) -> None:
    assert curves(training(few_digits, TrialConfig())) == curves(training(few_digits_of("paper"), TrialConfig()))


@pytest.mark.parametrize("backbone", ["resnet", "transformer", "lstm", "gru"])
def test_learns_digits(backbone: str) -> None:
    task = load_task(TaskSpec(name="digits", options={"backbone": backbone}), Path())
    config = TrialConfig(regularizer="dropout", drop_rate=0.2, batch_size=32, learning_rate=0.003)
    *_, last = training(task, config, epochs=8).epochs()
    assert last.metrics["val_accuracy"] > 0.8
