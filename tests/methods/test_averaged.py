"""Dropout_k: the mean gradient of k masks, and the noise that is added to it again."""

import weakref

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.objectives import Step
from search_spaces import TrialConfig
from tests.layers.evidence import assert_mean
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, training

NOISES = ["dropout", "gaussian_dropout", "dropconnect", "pernodedrop"]
CLASSES = torch.tensor([0, 1, 2, 0])


def gradients(noise: str, draws: int, **options: float | str) -> Tensor:
    """Of the weights in as many steps as `draws`, (draws, I J)."""
    torch.manual_seed(5)
    model, x = nn.Sequential(nn.Linear(4, 3)), 2 * torch.randn(4, 4)
    handle = regularize(model, "averaged", drop_rate=0.2, options={"noise": noise, **options})
    step = Step(lambda: model(x), lambda z: nn.functional.cross_entropy(z, CLASSES), "softmax", samples=4, done=0.0)
    objective = handle.objective
    assert objective is not None
    found = [torch.autograd.grad(objective(step), model[0].weight)[0].flatten() for _ in range(draws)]
    return torch.stack(found)


@pytest.mark.parametrize("noise", NOISES)
def test_one_mask_is_the_noise_itself(noise: str) -> None:
    plain = curves(training(Circles(), TrialConfig(noise, units=12, batch_size=16)))
    for added in ("none", "masks", "isotropic", "approximate"):
        extra = {"noise": noise, "masks": 1, "added_noise": added}
        assert curves(training(Circles(), TrialConfig("averaged", units=12, batch_size=16, extra=extra))) == plain


@pytest.mark.parametrize("noise", ["dropout", "dropconnect"])
def test_k_masks_divide_the_noise_and_what_is_added_restores_it(noise: str) -> None:
    """tr Cov is C, C / 4, C, C and nearly C, of 200 steps each, within five standard errors; the mean stays."""
    one = gradients(noise, 600, masks=1)
    traces = (one - one.mean(0)).square().sum(1)
    means = {}
    for added, share in (("none", 0.25), ("masks", 1.0), ("isotropic", 1.0), ("approximate", 0.25)):
        found = gradients(noise, 200, masks=4, added_noise=added)
        means[added] = (found - found.mean(0)).square().sum(1)
        error = (traces.var() / 600 + means[added].var() / 200 / share**2).sqrt()
        if added == "approximate":
            restored = means[added].mean() / traces.mean()
            assert 0.8 < restored < 1.5  # to first order in the variance, .25
        else:
            assert abs(means[added].mean() / share - traces.mean()) < 5 * error
        if added == "isotropic":  # every number has an equal part of what is restored
            each, scatter = one.var(0), (one - one.mean(0)).square().std(0).max()
            squares = (found - found.mean(0)).square()
            assert_mean(squares, each / 4 + 0.75 * each.mean(), slack=5 * float(scatter) / 600**0.5)
            assert each.max() > 3 * each.min()  # which the masks do not give
        assert_mean(found, one.mean(0), slack=5 * float(one.std(0).max()) / 600**0.5)


def test_masks_that_the_batch_shares_add_dropconnects_noise() -> None:
    """The trace is C_own / k + (1 - 1/k) C_shared, of DropConnect's own tests, within five standard errors."""
    own, shared = (gradients(noise, 600, masks=1) for noise in ("pernodedrop", "dropconnect"))
    found = gradients("pernodedrop", 400, masks=4, added_noise="shared_masks")
    traces = [(each - each.mean(0)).square().sum(1) for each in (own, shared, found)]
    expected = traces[0].mean() / 4 + 0.75 * traces[1].mean()
    error = (traces[0].var() / 600 / 16 + traces[1].var() / 600 * 0.5625 + traces[2].var() / 400).sqrt()
    assert abs(traces[2].mean() - expected) < 5 * error
    assert expected - traces[0].mean() > 5 * error  # which further masks of its own would not reach
    with pytest.raises(ValueError, match='added_noise "shared_masks" needs noise "pernodedrop", got \'dropout\''):
        gradients("dropout", 1, added_noise="shared_masks")


def test_the_mean_is_that_of_k_passes_and_only_one_graph_is_kept() -> None:
    model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(4, 4)
    passes: list[weakref.ref[Tensor]] = []

    def forward() -> Tensor:
        assert all(each() is None for each in passes)
        z = model(x)
        passes.append(weakref.ref(z))
        return z

    handle = regularize(model, "averaged", options={"masks": 3, "noise": "pernodedrop"})
    step = Step(forward, lambda z: nn.functional.cross_entropy(z, CLASSES), "softmax", samples=4, done=0.0)
    torch.manual_seed(1)
    value = handle.objective(step)
    value.backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    torch.manual_seed(1)
    expected = sum(nn.functional.cross_entropy(model(x), CLASSES) for _ in range(3)) / 3
    expected.backward()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(found, [parameter.grad for parameter in model.parameters()])


def test_added_noise_leaves_the_loss_and_the_modes_of_the_layers() -> None:
    model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(4, 4)
    step = Step(lambda: model(x), lambda z: nn.functional.cross_entropy(z, CLASSES), "softmax", samples=4, done=0.0)
    for noise in NOISES:
        losses = []
        for added in ("none", "masks", "approximate"):
            handle = regularize(model, "averaged", options={"masks": 2, "noise": noise, "added_noise": added})
            torch.manual_seed(3)
            losses.append(handle.objective(step).detach())
            assert all(module.training for module in model.modules())
            assert not torch.equal(model(x), model(x))
            handle.undo()
        assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("noise", NOISES)
def test_approximate_noise_reaches_a_layer_that_is_read(noise: str) -> None:
    """As the same layer when it is called: the same gradients from the same draws."""

    class Model(nn.Sequential):
        reads = False

        def forward(self, x: Tensor) -> Tensor:
            layer = self[0]
            return nn.functional.linear(x, layer.weight, layer.bias) if self.reads else layer(x)

    model, x = Model(nn.Linear(4, 3)), torch.randn(4, 4)
    step = Step(lambda: model(x), lambda z: nn.functional.cross_entropy(z, CLASSES), "softmax", samples=4, done=0.0)
    found = []
    for model.reads in (False, True):
        handle = regularize(model, "averaged", options={"masks": 2, "noise": noise, "added_noise": "approximate"})
        model(x)
        torch.manual_seed(2)
        found.append(torch.autograd.grad(handle.objective(step), model[0].weight)[0])
        handle.undo()
        assert "product" not in vars(model[0])
    torch.testing.assert_close(found[0], found[1])


def test_what_it_cannot_do_is_refused() -> None:
    for options, said in (
        ({"masks": 0}, r"masks must be a whole number in \[1, 256\], got 0"),
        ({"masks": 2.5}, r"masks must be a whole number in \[1, 256\], got 2.5"),
        (
            {"added_noise": "mask"},
            "added_noise must be one of none, masks, shared_masks, isotropic, approximate, got 'mask'",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            regularize(nn.Sequential(nn.Linear(4, 3)), "averaged", options=options).objective  # noqa: B018
    with pytest.raises(ValueError, match=r'averaged needs masks that differ .* say mask_mode "dynamic"'):
        model = nn.Sequential(nn.Linear(4, 3))
        regularize(model, "averaged", mask_mode="fixed", options={"noise": "pernodedrop"}).objective  # noqa: B018
    params = {"regularizer": "averaged", "noise": "dropout", "masks": 8, "added_noise": "masks"}
    assert TrialConfig.from_params(params).variant == "averaged-dropout-k8-added_masks"
