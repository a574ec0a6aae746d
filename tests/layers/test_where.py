"""Which layers `regularize` chooses, and where it finds their samples."""

import re
import warnings

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import Masksembles, PerNodeDropLinear, regularize


class Recurrent(nn.Module):
    """A dense layer before and after a recurrence."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.entry = nn.Linear(16, 16)
        self.recurrence = nn.GRU(16, 16, batch_first=batch_first)
        self.heads = nn.ModuleList([nn.Linear(16, 4)])

    def forward(self, x: Tensor) -> Tensor:
        return self.heads[0](self.recurrence(self.entry(x))[0])


@pytest.mark.parametrize(
    "where, expected",
    [
        (["0", "2"], ["0", "2"]),
        ([2, "0"], ["0", "2"]),
        (2, ["2"]),
        (re.compile("[02]"), ["0", "2"]),
        ({"*"}, ["0", "2"]),
        ("3", ["3"]),  # an exact name is no pattern: it chooses what is asked for
    ],
)
def test_names_numbers_and_patterns(where: object, expected: list[str]) -> None:
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), Own(4, 4))
    assert list(regularize(model, where=where).layers) == expected


@pytest.mark.parametrize(
    "where, message",
    [
        (["0", "nope"], "where: 'nope' chooses no nn.Linear or nn.Conv2d of Sequential"),
        ([0.5], "where must list names, patterns, numbers or classes, got 0.5"),
        (nn.ReLU, "where must be nn.Linear or nn.Conv2d or a subclass of it, got ReLU"),
        ([nn.Linear, nn.ReLU], "where must be nn.Linear or nn.Conv2d or a subclass of it, got ReLU"),
        (3.5, "where must be a name or pattern, .* got 3.5"),
        (True, "where must be a name or pattern, .* got True"),
        ([], r"where=\[\] chooses no nn.Linear or nn.Conv2d of Sequential"),
    ],
)
def test_what_is_no_choice_is_refused(where: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regularize(nn.Sequential(nn.Linear(4, 4)), where=where)


def test_a_lazy_layer_is_regularized_from_its_first_forward() -> None:
    model, x = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 4)), torch.ones(3, 5)
    handle = regularize(model)
    assert list(handle.layers) == ["0", "2"]
    y = model(x)
    assert not torch.equal(y[0], y[1])
    assert [type(model[0]), model[0].in_features, model[0].weight.shape] == [PerNodeDropLinear, 5, (8, 5)]
    handle.undo()
    assert type(model[0]) is nn.Linear
    untouched = nn.Sequential(nn.LazyLinear(8))
    regularize(untouched, "dropout").undo()
    assert type(untouched[0]) is nn.LazyLinear
    assert type(untouched(x)) is Tensor
    for settings in ({"mask_mode": "fixed"}, {"regularizer": "masksembles"}):
        with pytest.raises(ValueError, match="needs to know a layer's features: run the lazy model once before"):
            regularize(nn.Sequential(nn.LazyLinear(8)), **settings)


def test_an_attention_projection_is_never_chosen_in_any_place() -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    shared = regularize(nn.Sequential(block, block), where=nn.Linear)
    assert list(shared.layers) == ["0.linear1", "0.linear2", "1.linear1", "1.linear2"]
    with pytest.raises(ValueError, match=r"must be a plain nn\.Linear: torch reads its weight and never calls it"):
        block.self_attn.out_proj = PerNodeDropLinear(8, 8)


@pytest.mark.parametrize("regularizer, settings", [("pernodedrop", {}), ("masksembles", {"drop_rate": 0.3})])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_masks_are_the_samples_own_wherever_the_samples_lie(
    regularizer: str, settings: dict, batch_first: bool, told: bool
) -> None:
    model, seen = Recurrent(batch_first), []
    if told:
        handle = regularize(model, regularizer, **settings)
    else:
        model = nn.Sequential(nn.Linear(16, 16))
        handle = regularize(model, regularizer, batch_dim=0 if batch_first else 1, **settings)
    next(iter(handle.layers.values())).register_forward_hook(lambda _, __, output: seen.append(output.detach()))
    samples, steps = 4, 5
    model(torch.ones((samples, steps, 16) if batch_first else (steps, samples, 16)))
    y = seen[0] if batch_first else seen[0].transpose(0, 1)  # samples, steps
    torch.testing.assert_close(y, y[:, :1].expand_as(y))
    assert not torch.allclose(y[0], y[-1])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("batch_first", [True, False])
def test_torchs_own_transformer_tells_it(batch_first: bool) -> None:
    model = nn.Sequential(nn.Linear(16, 16), nn.Transformer(16, 2, 1, 1, 32, batch_first=batch_first))
    handle = regularize(model)
    assert {layer.batch_dim for layer in handle.layers.values()} == {0 if batch_first else 1}
    mixed = nn.ModuleList([nn.Linear(4, 4), nn.GRU(4, 4), nn.GRU(4, 4, batch_first=True)])
    assert regularize(mixed).layers["0"].batch_dim == 0
    with pytest.raises(ValueError, match="batch_dim must be 0, 1 or None, got 2"):
        regularize(mixed, batch_dim=2)


def test_two_dimensions_are_samples_and_features() -> None:
    y = PerNodeDropLinear(16, 4, batch_dim=1)(torch.ones(3, 16))
    assert not torch.allclose(y[0], y[1])
    layer = Masksembles(16, batch_dim=1)
    assert torch.equal(layer(torch.ones(4, 16)), layer.masks)
    assert PerNodeDropLinear(16, 4, batch_dim=1)(torch.ones(3, 5, 16)).view(15, 4).shape == (15, 4)  # as nn.Linear's
    channels = Masksembles(6, feature_dim=0, batch_dim=1)  # F, B, T
    torch.testing.assert_close(channels(torch.ones(6, 4, 5)), channels.masks.T[:, :, None].expand(6, 4, 5))


def test_a_layer_of_two_names_has_run_by_both() -> None:
    shared = nn.Linear(8, 8)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    regularize(model, "dropout", drop_rate=0.5)
    x = torch.ones(4, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), shared(shared(x).relu()))


@pytest.mark.parametrize("regularizer", ["dropout", "dropconnect", "pernodedrop"])
def test_layers_with_one_weight_are_regularized_each_by_itself(regularizer: str) -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight = model[0].weight
    regularized = regularize(model, regularizer, drop_rate=0.5)
    model(torch.ones(4, 8)).sum().backward()
    assert model[0].weight is model[1].weight
    assert model[0].weight.grad is not None
    assert len(list(model.parameters())) == 1
    regularized.undo()
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear]


def test_what_torch_has_taken_over_is_refused_with_the_remedy() -> None:
    plain = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both are on their way out of torch
        quantized = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear})
        scripted = torch.jit.script(plain)
    with pytest.raises(ValueError, match="of Sequential: regularize it before it is quantized"):
        regularize(quantized)
    with pytest.raises(ValueError, match="of RecursiveScriptModule: regularize it before torch"):
        regularize(scripted)
