"""Layers that a model reads instead of calling get their noise, or are warned about by name, once."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pernodedrop import Masksembles, PerNodeDropLinear, regularize

REGULARIZERS = ["dropout", "gaussian_dropout", "dropconnect", "masksembles", "pernodedrop"]


class Attention(nn.Module):
    """Reads the weights of one layer, with another bias, and calls the other."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.projection = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(nn.functional.linear(x, bias=self.qkv.bias * 2, weight=self.qkv.weight))


class Product(nn.Module):
    """Computes with a weight in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.called = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.called(x @ self.dense.weight.t())


class Experts(nn.Module):
    """Calls one of its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.experts, self.at = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]), 0

    def forward(self, x: Tensor) -> Tensor:
        return self.experts[self.at](x)


def warnings_of(model: nn.Module, x: Tensor) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model(x)
    return [str(warning.message) for warning in caught]


def hooks(model: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) + ("watcher" in vars(module))
        for module in model.modules()
        if not isinstance(module, PerNodeDropLinear | Masksembles)
    )


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_a_product_with_a_layers_weight_is_regularized_as_the_layer(regularizer: str) -> None:
    class Called(Attention):
        def forward(self, x: Tensor) -> Tensor:
            return self.projection(self.qkv(x) + self.qkv.bias)

    reading, x = nn.Sequential(Attention(), Attention()), torch.randn(8, 16)
    calling = nn.Sequential(Called(), Called())
    calling.load_state_dict(reading.state_dict())
    outputs = []
    for model in (reading, calling):
        torch.manual_seed(3)
        handle = regularize(model, regularizer, drop_rate=0.3)
        for training in (True, False, True):
            torch.manual_seed(7)
            outputs.append(warned := [])
            warned += warnings_of(model.train(training), x)
            torch.manual_seed(7)
            outputs[-1].append(model(x))
        handle.undo()
        outputs.append([model(x)])
        assert hooks(model) == 0
    for mine, theirs in zip(outputs[:4], outputs[4:], strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputed_and_copied_it_stays_regularized(reentrant: bool) -> None:
    model, x = Attention(), torch.randn(8, 16, requires_grad=True)
    regularize(model)
    model(x)
    gradients = []
    for call in (model, lambda x: checkpoint(model, x, use_reentrant=reentrant), copy.deepcopy(model)):
        torch.manual_seed(3)
        gradients.append(torch.autograd.grad(call(x).square().sum(), x)[0] if not reentrant else _backward(call, x))
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("own_generator", [True, False])
def test_a_checkpoint_within_the_module_that_reads_a_weight(reentrant: bool, nested: bool, own_generator: bool) -> None:
    class Checkpointed(Product):
        def forward(self, x: Tensor) -> Tensor:
            def product(x: Tensor) -> Tensor:
                return nn.functional.linear(x, self.dense.weight)

            def again(x: Tensor) -> Tensor:
                return checkpoint(product, x, use_reentrant=reentrant)

            return checkpoint(again if nested else product, x, use_reentrant=reentrant)

    model, x = Checkpointed(), torch.randn(8, 8, requires_grad=True)
    generator = torch.Generator().manual_seed(0) if own_generator else None
    regularize(model, where="dense", drop_rate=0.5, generator=generator)
    for _ in range(2):  # watched, and later on
        y, weight = model(x), model.dense.weight
        weight.grad = x.grad = None
        y.square().sum().backward()
        expected = 2 * y.square().sum()  # of a product, whatever its mask
        torch.testing.assert_close((weight.grad * weight).sum(), expected)
        torch.testing.assert_close((x.grad * x).sum(), expected)


def _backward(call: object, x: Tensor) -> Tensor:
    x.grad = None
    call(x).square().sum().backward()
    return x.grad.clone()


def test_what_cannot_be_regularized_is_warned_about_by_name_once() -> None:
    model, x = nn.Sequential(Product(), nn.Linear(8, 4)), torch.randn(3, 8)
    regularize(model, "dropconnect")
    assert warnings_of(model.eval(), x) == []
    (message,) = warnings_of(model.train(), x)
    assert message.startswith("no noise reaches the weights of 0.dense: in the first training forward Sequential read")
    assert warnings_of(model, x) == []


def test_a_part_that_is_not_called_is_named_and_the_rest_costs_nothing_afterwards() -> None:
    model, x = Experts(), torch.randn(3, 8)
    regularize(model)
    (message,) = warnings_of(model, x)
    assert message.startswith("experts.1 did not run in the first training forward of Experts")
    model.at = 1
    assert warnings_of(model, x) == []
    assert not torch.equal(model(x), model(x))
    assert hooks(model) == 0
    assert not [layer for layer in model.experts if "watcher" in vars(layer)]


def test_what_fails_or_is_frozen_is_watched_on() -> None:
    model, x = nn.Sequential(Product(), nn.Linear(8, 4)), torch.randn(3, 8)
    regularize(model, "dropconnect")
    with pytest.raises(RuntimeError, match="shapes"):
        model(torch.randn(3, 7))
    assert torch.overrides._len_torch_function_stack() == 0
    model.eval()
    model[1].train()
    assert warnings_of(model, x) == []  # of the layers in training none is missing


def test_a_layer_that_is_held_by_a_list_or_has_another_forward_is_regularized() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(8, 8)
            self.steps = [self.dense]

        def forward(self, x: Tensor) -> Tensor:
            return self.steps[0](x)

    listed, wrapped, x = Listed(), nn.Sequential(nn.Linear(8, 8)), torch.randn(3, 8)
    inner = wrapped[0].forward
    wrapped[0].forward = lambda x: inner(x) * 2  # as accelerate does
    for model in (listed, wrapped):
        regularize(model)
        assert warnings_of(model, x) == []
        assert not torch.equal(model(x), model(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's compiler reads it at a graph break
def test_compiled_it_is_right_or_warned_about_or_refused() -> None:
    x = torch.randn(3, 8)
    torch._dynamo.reset()
    plain = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    regularize(plain)
    compiled = torch.compile(plain, backend="eager", fullgraph=True)
    assert not torch.equal(compiled(x), compiled(x))
    late = Experts()
    regularize(late)
    (message,) = [m for m in warnings_of(torch.compile(late, backend="eager"), x) if "experts" in m]
    assert message.startswith("experts.1 did not run")
    reading = Attention()
    regularize(reading, where="qkv")
    reading(torch.randn(3, 16))
    assert not torch.equal(*(torch.compile(reading, backend="eager")(torch.ones(3, 16)) for _ in range(2)))
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="reads instead of calling"):
        torch.compile(nn.Sequential(reading), backend="eager", fullgraph=True)(torch.ones(3, 16))


@pytest.mark.parametrize("training", [True, False])
def test_fused_inference_calls_layers_that_were_set_by_hand(training: bool) -> None:
    """In evaluation torch's encoder layer reads the weights of linear1 and passes dropout over."""
    for name, layer in (
        ("linear1", PerNodeDropLinear(16, 32, mask_mode="fixed")),
        ("dropout", Masksembles(32, drop_rate=0.3)),
    ):
        encoder, x = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), torch.randn(4, 6, 16)
        setattr(encoder, name, layer)
        encoder.train(training)
        slow = encoder(x).detach()
        with torch.no_grad():
            torch.testing.assert_close(encoder(x), slow)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_a_weight_that_is_made_anew_is_not_taken_for_one_that_is_gone() -> None:
    """A new weight at the place in memory of another layer's old one; so it was in one of a hundred forwards."""
    for _ in range(200):
        model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 4)).eval()
        for layer in model:
            nn.utils.weight_norm(layer)
        regularize(model, mask_mode="fixed", drop_rate=0.3)
        for _ in range(4):
            assert model(torch.ones(2, 16)).shape == (2, 4)
