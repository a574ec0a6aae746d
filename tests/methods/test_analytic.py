"""Regularizers by formula, in models: right there, or refused in one line."""

import copy
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from pernodedrop import mc_mode, regularize, regularized_linear
from pernodedrop.expected_loss import explicit_penalty
from pernodedrop.methods.twice import differentiable_twice
from pernodedrop.objectives import Outputs, Step

NAMES = ["explicit", "implicit", "explicit_implicit"]
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


def step_of(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    outputs: Outputs | None = "softmax",
    loss: Callable[[Tensor], Tensor] = lambda z: nn.functional.cross_entropy(z, CLASSES),
) -> Step:
    return Step(lambda: model(x), loss, outputs, samples=len(x), done=0.0)


def net(activation: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(5, 4), activation or nn.ReLU(), nn.Linear(4, 3))


def gradients(model: nn.Module) -> list[Tensor]:
    found = [parameter.grad for parameter in model.parameters()]
    assert all(each is not None for each in found)
    model.zero_grad()
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("noise", ["dropout", "gaussian_dropout", "dropconnect", "pernodedrop"])
@pytest.mark.parametrize("form", ["label", "jvp"])
def test_the_explicit_effect_is_added_to_the_loss_of_a_dense_pass(noise: str, form: str) -> None:
    """Of 300 copies of 6 samples; the penalty within five standard errors of 12 such steps."""
    model, x = net(), torch.randn(6, 5)
    classes = CLASSES.repeat(300)

    def loss(z: Tensor) -> Tensor:
        return nn.functional.cross_entropy(z, classes)

    dense = loss(model(x.repeat(300, 1))).detach()
    penalty = explicit_penalty(
        model, x.repeat(300, 1), loss, layers=[model[0], model[2]], regularizer=noise, variance=0.25 / 0.75
    ).detach()
    handle = regularize(model, "explicit", drop_rate=0.25, options={"noise": noise, "form": form})
    step = step_of(model, x.repeat(300, 1), loss=loss)
    added = torch.stack([handle.objective(step).detach() - dense for _ in range(12)])
    assert abs(added.mean() - penalty) < 5 * added.std() / 12**0.5
    assert abs(added.mean() / penalty - 1) < 0.1
    assert torch.equal(model(x), model.eval()(x))


@pytest.mark.parametrize("name", NAMES)
def test_noise_in_the_gradient_leaves_the_loss_and_no_step_leaves_anything(name: str) -> None:
    model, x = net(), torch.randn(6, 5)
    dense = step_of(model, x).loss(model(x))
    handle = regularize(model, name, options={"noise": "pernodedrop"})
    outputs: list[weakref.ref[Tensor]] = []

    def forward() -> Tensor:
        z = model(x)
        outputs.append(weakref.ref(z))
        return z

    value = handle.objective(Step(forward, step_of(model, x).loss, "softmax", samples=6, done=0.0))
    assert torch.equal(value, dense) == (name == "implicit")
    value.backward()
    del value
    assert [each() for each in outputs] == [None]
    assert all(vars(layer).get("observation") is None for layer in handle.layers.values())
    handle.set_drop_rate(0.0)
    gradients(model)
    handle.objective(step_of(model, x)).backward()
    found = gradients(model)
    handle.undo()
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear]
    step_of(model, x).loss(model(x)).backward()
    assert all(torch.equal(one, other) for one, other in zip(found, gradients(model), strict=True))


def test_a_layer_that_is_called_twice_draws_twice() -> None:
    """It is two layers of one weight; and what changes its output in place, or its input elsewhere, changes nothing."""

    class Twice(nn.Module):
        def __init__(self, *layers: nn.Linear) -> None:
            super().__init__()
            self.layers, self.last = nn.ModuleList(layers), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            for layer in (self.layers[0], self.layers[-1]):
                x = x + layer(x).relu_()
            return self.last(x)

    one, other = nn.Linear(5, 5), nn.Linear(5, 5)
    other.weight, other.bias = one.weight, one.bias
    shared, x = Twice(one), torch.randn(6, 5)
    apart = Twice(one, other)
    apart.last = shared.last
    for noise in ("dropout", "pernodedrop"):
        found = []
        for model in (shared, apart):
            handle = regularize(model, "explicit_implicit", where="layers.*", options={"noise": noise})
            torch.manual_seed(1)
            value = handle.objective(step_of(model, x))
            value.backward()
            found.append([value.detach(), *gradients(model)])
            handle.undo()
        torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("noise", ["dropout", "pernodedrop"])
def test_an_encoder_of_torchs_is_differentiated_twice(name: str, noise: str) -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), 2, enable_nested_tensor=False)
    x = torch.randn(6, 4, 8)
    model = nn.Sequential(encoder, nn.Flatten(), nn.Linear(32, 3)).double()
    handle = regularize(model, name, "0.*", options={"noise": noise})
    assert len(handle.layers) == 4
    handle.objective(step_of(model, x.double())).backward()
    assert all(each.isfinite().all() for each in gradients(model))


def test_recurrences_on_a_gpu_run_without_cudnn_and_all_else_with_it() -> None:
    class Met(TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Any], types: object, args: Any = (), kwargs: Any = None
        ) -> Any:
            enabled[getattr(func, "__name__", "")] = torch.backends.cudnn.enabled
            return func(*args, **(kwargs or {}))

    enabled: dict[str, bool] = {}
    with Met(), differentiable_twice(torch.device("cuda")):
        nn.LSTM(3, 3)(torch.randn(2, 2, 3))
        nn.GRU(3, 3)(torch.randn(2, 2, 3))
        nn.Conv2d(1, 1, 2)(torch.randn(1, 1, 3, 3))
    assert (enabled["lstm"], enabled["gru"], enabled["conv2d"]) == (False, False, True)


def test_a_compiled_model_runs_uncompiled_in_the_step() -> None:
    model, x = net(nn.Tanh()), torch.randn(6, 5)
    handle = regularize(model, "explicit_implicit")
    compiled = torch.compile(model, backend="aot_eager")
    found = []
    for called in (model, compiled):
        torch.manual_seed(1)
        handle.objective(step_of(called, x)).backward()
        found.append(gradients(model))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_checkpoints_copies_and_what_reads_a_weight_are_as_the_model_itself() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.dense.weight, self.dense.bias)

    model, x = net(), torch.randn(6, 5)
    handle = regularize(model, "explicit_implicit", options={"noise": "pernodedrop"})

    def of(call: Callable[[Tensor], Tensor]) -> list[Tensor]:
        torch.manual_seed(2)
        handle.objective(step_of(call, x)).backward()
        return gradients(model)

    torch.testing.assert_close(of(model), of(lambda x: checkpoint(model, x, use_reentrant=False)))
    with pytest.raises(ValueError, match=r"a layer ran without one: use torch.utils.checkpoint with use_\w+=False"):
        of(lambda x: checkpoint(model, x.requires_grad_(), use_reentrant=True))
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), model(x))
    reader = nn.Sequential(Reader())
    handle = regularize(reader, "explicit", options={"noise": "pernodedrop"})
    added = handle.objective(step_of(reader, x)) - step_of(reader, x).loss(reader(x))
    assert added.item() > 0.0


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: object, slope: Tensor) -> Tensor:
        return 2 * slope * ctx.saved_tensors[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("outputs", "loss", "said"),
    [
        (
            "softmax",
            lambda z: nn.functional.cross_entropy(z, CLASSES, reduction="sum"),
            r"the loss is 6 times as curved",
        ),
        ("softmax", lambda z: 2 * nn.functional.mse_loss(z, torch.zeros_like(z)), "the loss is curved otherwise"),
        ("sigmoid", lambda z: nn.functional.cross_entropy(z, CLASSES), "the loss is curved otherwise"),
        ("squared", lambda z: 0.5 * nn.functional.mse_loss(z, torch.zeros_like(z)), "the loss is 0.5 times as curved"),
        ("squared", lambda z: z.abs().mean(), "the loss is curved otherwise"),
        (None, lambda z: z.square().mean(), 'explicit needs to know .* outputs = "softmax", "sigmoid" or "squared"'),
    ],
)
def test_outputs_that_do_not_fit_the_loss_are_refused(
    outputs: Outputs | None, loss: Callable[[Tensor], Tensor], said: str
) -> None:
    model = net()
    handle = regularize(model, "explicit")
    with pytest.raises(ValueError, match=said) as refused:
        handle.objective(step_of(model, torch.randn(6, 5), outputs, loss))
    assert "\n" not in str(refused.value)


def test_losses_that_are_as_curved_fit() -> None:
    for outputs, loss in (
        ("softmax", lambda z: nn.functional.cross_entropy(z, CLASSES, label_smoothing=0.2)),
        ("sigmoid", lambda z: nn.functional.binary_cross_entropy_with_logits(z, torch.ones_like(z))),
        ("squared", lambda z: nn.functional.mse_loss(z, torch.ones_like(z))),
    ):
        model = net()
        assert regularize(model, "explicit").objective(step_of(model, torch.randn(6, 5), outputs, loss)) > 0.0


def test_what_it_cannot_do_is_refused() -> None:
    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Once.apply(x)  # type: ignore[no-any-return,no-untyped-call]

    x = torch.randn(6, 5)
    for name in NAMES:
        model = net(Squares())
        handle = regularize(model, name)
        with pytest.raises(ValueError, match=rf"{name} needs second derivatives, .* \(trying to differentiate twice"):
            handle.objective(step_of(model, x))
        with pytest.raises(ValueError, match=r"must be one of dropout, gaussian_dropout, .* got 'laplace'"):
            regularize(net(), name, options={"noise": "laplace"})
        with pytest.raises(ValueError, match=f"{name} acts in what a training step minimizes: use regularize"):
            regularized_linear(name, 5, 3)
        with pytest.raises(ValueError, match="mc_mode needs a layer that draws noise"), mc_mode(model):
            pass
    with pytest.raises(ValueError, match="form must be one of label, jvp, got 'exact'"):
        regularize(net(), "explicit", options={"form": "exact"}).objective  # noqa: B018
    with pytest.raises(ValueError, match="'form' is no option of implicit"):
        regularize(net(), "implicit", options={"form": "jvp"})
    with pytest.raises(ValueError, match="takes no nested tensor: pad it"):
        model = nn.Sequential(nn.Linear(5, 3))
        ragged = torch.nested.nested_tensor([x[:2], x], layout=torch.jagged)
        regularize(model, "explicit").objective(step_of(model, ragged))
