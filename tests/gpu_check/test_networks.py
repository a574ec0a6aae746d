"""The check's own copy of the paper's network is the workers'."""

import pytest
import torch

from benchmarks.gpu.networks import DROP_RATE, NOISY_FRACTION, VARIANTS, Variant, convolutional, with_variant
from benchmarks.gpu.samples import Task
from search_spaces import TrialConfig
from tests.tasks.trainings import regularized
from workers.tasks.backbones.convolutional import convolutional as of_the_workers

SHAPES = {"cifar10": ((3, 32, 32), 10), "speech_commands": ((1, 128, 128), 8)}


def config(variant: Variant) -> TrialConfig:
    return TrialConfig(
        regularizer=variant.regularizer,
        stir_type=variant.stir_type,
        mask_mode=variant.mask_mode,
        drop_rate=DROP_RATE,
        noisy_fraction=NOISY_FRACTION,
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("task", SHAPES)
def test_is_the_workers_network(task: str, variant: Variant) -> None:
    shape, classes = SHAPES[task]
    torch.manual_seed(3)
    theirs = regularized(of_the_workers(shape, classes, config(variant)), config(variant), task)
    torch.manual_seed(3)
    ours = with_variant(convolutional(shape, classes), variant)
    assert config(variant).variant == variant.name
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert str(ours) == str(theirs)
    for mine, its in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(mine, its)
    x = torch.randn(4, *shape)
    for training in (True, False):
        outputs = []
        for network in (ours, theirs):
            torch.manual_seed(4)
            outputs.append(network.train(training)(x))
        torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("task", SHAPES)
def test_a_task_builds_it_from_a_seed(task: str) -> None:
    shape, classes = SHAPES[task]
    drawn = [Task(task, 256, shape, classes).network(seed).get_parameter("slot.weight") for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_every_variant_is_there_once_and_dropout_leads() -> None:
    names = [variant.name for variant in VARIANTS]
    assert names[0] == "dropout"
    assert len(set(names)) == len(names) == 11
