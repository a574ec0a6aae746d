"""A step of several passes moves running statistics as far as a step of one does."""

import pytest
import torch
from torch import nn

from search_spaces import TrialConfig
from tests.tasks.trainings import few_digits_of, training
from workers.training.statistics import kept, with_statistics


@pytest.mark.parametrize("name", ["r_drop", "averaged"])
def test_batch_normalization_counts_a_step_once(name: str) -> None:
    """The slot lies behind all normalizations, so that the first step finds the statistics of `none`."""
    task, size = few_digits_of("resnet"), {"batch_size": 70}
    run, plain = training(task, TrialConfig(name, **size)), training(task, TrialConfig(**size))
    next(run.epochs())
    next(plain.epochs())
    found, expected = dict(run.model.named_buffers()), dict(plain.model.named_buffers())
    assert found["features.1.num_batches_tracked"] == 1
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[at], expected[at]) for at in expected)
    assert {module.momentum for module in with_statistics(run.model)} == {0.1}


@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_are_kept_and_then_go_on(momentum: float | None) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3, momentum=momentum), nn.BatchNorm1d(3, track_running_stats=False))
    model(torch.randn(8, 3))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    modules = with_statistics(model)
    with kept(modules):
        model(5 * torch.randn(8, 3))
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert [module.momentum for module in modules] == [momentum]
    model(torch.randn(8, 3))
    assert model[0].num_batches_tracked == 2
