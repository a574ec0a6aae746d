import pytest
import torch
from torch import Tensor, nn

from pernodedrop import Masksembles, mc_passes, mc_predict, regularize


class Counted(nn.Linear):
    """A dense layer that counts its calls."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        self.calls += 1
        return super().forward(input)


def network(regularizer: str = "pernodedrop", **settings) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(Counted(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 6), nn.BatchNorm1d(6))
    model.append(nn.Linear(6, 3))
    regularize(model, regularizer, "3", drop_rate=0.5, **settings)
    return model


X = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))


def test_every_pass_draws_and_all_else_evaluates_once_where_it_can() -> None:
    model = network()
    model(X)  # running statistics that are no longer those of a new layer
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    before = model[0].calls
    outputs = mc_predict(model, X, 6)
    assert outputs.shape == (6, 7, 3)
    assert not outputs.requires_grad
    assert len({one.numpy().tobytes() for one in outputs}) == 6
    assert model[0].calls == before + 1
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    alone = mc_predict(model, X[:2], 3)  # batch statistics would depend on who is in the batch
    assert alone.shape == (3, 2, 3)


def test_the_mean_of_many_passes_of_a_linear_network_is_its_evaluation() -> None:
    model = nn.Sequential(nn.Linear(5, 3))
    regularize(model, "pernodedrop", "0", drop_rate=0.5)
    outputs = mc_predict(model, X.repeat(500, 1), 2).unflatten(1, (500, 7)).flatten(0, 1)
    errors = outputs.std(0) / 1000**0.5
    assert ((outputs.mean(0) - model.eval()(X)).abs() < 5 * errors).all()


def test_passes_repeat_with_the_seed_or_with_the_layers_generator() -> None:
    for generator in (None, torch.Generator()):
        model = network(generator=generator)
        again = (torch if generator is None else generator).manual_seed
        found = []
        for seed in (5, 5, 6):
            again(seed)
            found.append(mc_predict(model, X, 3))
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])


def test_a_model_without_noise_has_no_passes() -> None:
    for model in (network("none"), network(mask_mode="fixed"), network("masksembles"), network("explicit")):
        assert mc_passes(model, 20) is None
        with pytest.raises(ValueError, match="mc_mode needs a layer that draws noise"):
            mc_predict(model, X)
    assert mc_passes(nn.Sequential(Masksembles(5)), 20) is None
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"^mc_passes needs at least 1 pass, got {count}$"):
            mc_passes(network(), count)
