"""Groups of samples with one mask: who shares it, and that nothing else changes."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropConv2d, PerNodeDropLinear, regularize
from pernodedrop.backends import base
from pernodedrop.functional import pernode_linear
from search_spaces import InvalidDefinition, TrialConfig, parse_definition
from tests.layers.evidence import assert_covariance
from tests.search_spaces.studies import categorical, space
from tests.tasks.trainings import curves, few_digits_of, training

SAMPLES, FEATURES, UNITS = 10, 6, 5


def weights() -> Tensor:
    return torch.randn(UNITS, FEATURES, generator=torch.Generator().manual_seed(1))


def sharing(y: Tensor) -> list[int]:
    """For each row the number of the first row that is equal to it: equal inputs under one mask give equal outputs."""
    rows = y.flatten(1)
    return [next(j for j in range(len(rows)) if torch.allclose(rows[i], rows[j])) for i in range(len(rows))]


def first_of(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[:group]) for group, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize("backend", ["mask", "kernel", "flipout"])
@pytest.mark.parametrize(
    "groups, sizes",
    [
        (1, [10]),
        (2, [5, 5]),
        (3, [4, 3, 3]),
        (4, [3, 2, 3, 2]),
        (7, [2, 1, 2, 1, 2, 1, 1]),
        (10, [1] * 10),
        (99, [1] * 10),
    ],
)
def test_a_group_shares_its_mask_and_no_other(backend: str, groups: int, sizes: list[int]) -> None:
    x = torch.ones(SAMPLES, FEATURES)
    y = pernode_linear(x, weights(), mask_groups=groups, backend=backend)
    assert sharing(y) == first_of(sizes)
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("backend", ["mask", "kernel", "flipout"])
def test_time_is_shared_within_a_group_or_by_position(backend: str) -> None:
    x = torch.ones(SAMPLES, 3, FEATURES)
    y = pernode_linear(x, weights(), mask_groups=3, backend=backend)
    assert sharing(y.flatten(0, 1)) == [3 * first for first in first_of([4, 3, 3]) for _ in range(3)]
    y = pernode_linear(x, weights(), mask_groups=3, share_time=False, backend=backend)
    assert sharing(y.flatten(0, 1)) == [3 * first + t for first in first_of([4, 3, 3]) for t in range(3)]


@pytest.mark.parametrize("share_time", [True, False])
def test_the_samples_may_lie_at_the_second_dimension(share_time: bool) -> None:
    layer = PerNodeDropLinear(FEATURES, UNITS, batch_dim=1, mask_groups=3, share_time=share_time)
    y = layer(torch.ones(4, SAMPLES, FEATURES))
    assert sharing(y.transpose(0, 1)) == first_of([4, 3, 3])
    assert (sharing(y[:, 0]) == [0] * 4) is share_time


def test_a_convolution_shares_its_masks_over_a_group_of_images() -> None:
    layer = PerNodeDropConv2d(2, 3, 3, mask_groups=3)
    assert layer.groups == 1
    assert sharing(layer(torch.ones(SAMPLES, 2, 6, 6))) == first_of([4, 3, 3])


@pytest.mark.parametrize("backend", ["auto", "mask", "kernel", "flipout", "reparameterized", "moment_matched"])
@pytest.mark.parametrize("shape", [(4, FEATURES), (4, 3, FEATURES), (0, FEATURES), (FEATURES,)])
def test_as_many_groups_as_samples_are_none_to_the_last_bit(backend: str, shape: tuple[int, ...]) -> None:
    x, found = torch.randn(shape), []
    for groups in (None, 4, 4000):
        generator = torch.Generator().manual_seed(2)
        found.append(
            pernode_linear(
                x,
                weights(),
                stir_type="gaussian",
                share_time=False,
                mask_groups=groups,
                backend=backend,
                generator=generator,
            )
        )
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("share_time", [True, False])
def test_gradients_of_uneven_groups(share_time: bool) -> None:
    x = torch.randn(5, 2, FEATURES, dtype=torch.float64, requires_grad=True)
    weight = weights().double().requires_grad_()

    def frozen(*inputs: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        return pernode_linear(*inputs, share_time=share_time, mask_groups=3, backend="kernel", generator=generator)

    assert torch.autograd.gradcheck(frozen, (x, weight), fast_mode=True)
    y = frozen(x, weight)
    y.sum().backward()
    torch.testing.assert_close((weight.grad * weight).sum(), y.sum())


def test_one_group_has_the_covariance_of_dropconnect() -> None:
    """Cov(y_bj, y_cj) = s^2 sum_i x_bi x_ci W_ij^2 within a group, 0 between groups; s^2 = 1."""
    x = torch.randn(4, FEATURES, dtype=torch.float64)
    weight = weights().double()
    calls, tiled = 4000, weight.repeat(4000, 1)  # every unit has masks of its own
    y = pernode_linear(x, tiled, mask_groups=2, backend="mask").reshape(4, calls, UNITS)
    assert_covariance(y[0], y[1], (x[0] * x[1]) @ (weight**2).T)
    assert_covariance(y[1], y[2], 0.0)


@pytest.mark.parametrize("backend", ["reparameterized", "moment_matched"])
def test_a_backend_that_shares_no_mask_gives_way(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_WARNED", set())
    layer = PerNodeDropLinear(FEATURES, UNITS, stir_type="gaussian", mask_groups=4, backend=backend)
    with pytest.warns(RuntimeWarning, match=r"wrong for masks shared over time or in groups: '\w+' runs instead"):
        layer(torch.randn(SAMPLES, FEATURES))
    assert layer.gradient_noise == "full"
    layer(torch.randn(4, FEATURES))  # each sample is a group
    assert layer.backend_used == backend


def test_layers_say_what_gradient_noise_their_backend_has() -> None:
    for backend, noise in {
        "auto": "less",
        "mask": "full",
        "kernel": "full",
        "reparameterized": "less",
        "flipout": "more",
        "moment_matched": "approximate",
    }.items():
        layer = PerNodeDropLinear(FEATURES, UNITS, stir_type="gaussian", backend=backend)
        assert layer.gradient_noise is None
        layer(torch.randn(SAMPLES, FEATURES))
        assert layer.gradient_noise == noise
    fixed = PerNodeDropLinear(FEATURES, UNITS, mask_mode="fixed")
    fixed(torch.randn(SAMPLES, FEATURES))
    assert (fixed.backend_used, fixed.gradient_noise) == ("mask", None)


@pytest.mark.parametrize("groups", [0, -1, 2.0, True, "4"])
def test_other_numbers_are_refused(groups: object) -> None:
    message = "mask_groups must be None or a whole number of at least 1, got"
    with pytest.raises(ValueError, match=message):
        PerNodeDropLinear(FEATURES, UNITS, mask_groups=groups)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        pernode_linear(torch.ones(2, FEATURES), weights(), mask_groups=groups)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be None for a fixed mask, which all samples share, got 2"):
        PerNodeDropLinear(FEATURES, UNITS, mask_mode="fixed", mask_groups=2)


def test_a_study_searches_them_and_each_is_a_variant() -> None:
    parse_definition(space(regularizer=categorical("pernodedrop"), mask_groups=categorical(1, 4)))
    with pytest.raises(InvalidDefinition, match=r"search_space.mask_groups.choices\[0\] must be at least 1, got 0"):
        parse_definition(space(regularizer=categorical("pernodedrop"), mask_groups=categorical(0)))
    config = TrialConfig.from_params({"regularizer": "pernodedrop", "mask_groups": 4, "batch_size": 32, "units": 8})
    assert config.variant == "pernodedrop-bernoulli-dynamic-groups4"
    task = few_digits_of("mlp")
    run = training(task, config)
    assert {layer.mask_groups for layer in run.model.modules() if isinstance(layer, PerNodeDropLinear)} == {4}
    assert run.facts["gradient_noise"] == "full"
    own = {**config.as_params(), "mask_groups": 32}
    plain = {name: value for name, value in own.items() if name != "mask_groups"}
    assert curves(training(task, TrialConfig.from_params(own))) == curves(
        training(task, TrialConfig.from_params(plain))
    )


def test_regularize_takes_them() -> None:
    model = nn.Sequential(nn.Linear(FEATURES, UNITS))
    handle = regularize(model, options={"mask_groups": 2})
    assert sharing(model(torch.ones(4, FEATURES))) == [0, 0, 2, 2]
    assert "mask_groups=2" in repr(model)
    handle.undo()
    assert sharing(model(torch.ones(4, FEATURES))) == [0] * 4
