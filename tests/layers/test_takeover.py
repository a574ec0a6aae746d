"""Whatever hangs on a layer survives `regularize` and `undo`: the layer stays the same module."""

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from pernodedrop import PerNodeDropLinear, regularize

REGULARIZERS = ["dropout", "gaussian_dropout", "dropconnect", "masksembles", "pernodedrop"]


class Scaled(nn.Linear):
    """A forward of its own around that of nn.Linear."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 3


class Reading(nn.Linear):
    """A forward of its own that never asks nn.Linear."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, weight=self.weight, bias=self.bias) * 3


CALLS: list[nn.Module] = []


def halved(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A hook that changes what the layer sees."""
    CALLS.append(layer)
    return (inputs[0] * 0.5,)


def low_rank(layer: nn.Linear) -> None:
    layer.left, layer.right = nn.Parameter(torch.randn(16, 2)), nn.Parameter(torch.randn(2, 16))
    layer.register_forward_hook(lambda module, inputs, output: output + inputs[0] @ module.left @ module.right)


WEIGHTS: dict[str, Callable[[nn.Linear], object]] = {
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    "weight_norm": parametrizations.weight_norm,
    "weight_norm by a hook": nn.utils.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "spectral_norm by a hook": nn.utils.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "low rank by a hook": low_rank,
}
MERGED = {"pruned", "weight_norm", "low rank by a hook"}


def model_of(how: str) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    WEIGHTS[how](model[0])
    model.eval()(torch.randn(2, 16))
    return model


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("how", WEIGHTS)
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_a_weight_that_is_no_plain_parameter(how: str, regularizer: str) -> None:
    model, x = model_of(how), torch.randn(6, 16)
    plain = model(x).detach()
    names, keys, kind = (
        [name for name, _ in model.named_parameters()],
        list(model.state_dict()),
        type(model[0]).__name__,
    )
    handle = regularize(model, regularizer, drop_rate=0.3)
    assert list(handle.layers) == ["0", "2"]
    assert [name for name, _ in model.named_parameters()] == names
    if regularizer != "masksembles":  # its masks stay in evaluation
        assert torch.equal(model(x), plain)
    noisy = model.train()(x)
    assert not torch.allclose(noisy, plain, atol=1e-4)
    noisy.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    handle.undo()
    assert (type(model[0]).__name__, list(model.state_dict())) == (kind, keys)
    if "spectral" not in how:  # its power iteration has moved meanwhile
        torch.testing.assert_close(model.eval()(x), plain)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("how", WEIGHTS)
def test_a_fixed_mask_is_merged_into_it_or_refused(how: str) -> None:
    model, x = model_of(how), torch.randn(6, 16)
    plain = model(x).detach()
    handle = regularize(model, mask_mode="fixed", drop_rate=0.3, stir_type="gaussian")
    masked = model(x).detach()
    if how in MERGED:
        handle.merge()
        torch.testing.assert_close(model(x), masked, rtol=1e-4, atol=1e-5)
    else:
        with pytest.raises(
            ValueError, match="weight of layer '0' is computed from others and cannot hold a fixed mask"
        ):
            handle.undo()
        torch.testing.assert_close(model(x), masked)
        handle.undo(merge=False)
        torch.testing.assert_close(model(x), plain)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("kind", [Scaled, Reading])
def test_a_forward_of_its_own_is_stirred_and_kept(kind: type[nn.Linear], regularizer: str) -> None:
    model, x = nn.Sequential(kind(8, 8)).eval(), torch.randn(6, 8)
    model[0].register_forward_pre_hook(halved)
    model[0].note = "kept"
    plain = model(x).detach()
    handle = regularize(model, regularizer, where=kind, drop_rate=0.3)
    if regularizer != "masksembles":
        assert torch.equal(model(x), plain)
    CALLS.clear()
    noisy = model.train()(x)
    assert not torch.allclose(noisy, plain, atol=1e-4)
    assert (len(CALLS), isinstance(model[0], kind), model[0].note) == (1, True, "kept")
    bias = model[0].bias
    if regularizer in ("dropconnect", "pernodedrop"):
        silenced = nn.Sequential(copy.deepcopy(model[0]))
        silenced[0].weight.data.zero_()
        torch.testing.assert_close(silenced(x), (3 * bias).expand(6, 8))  # the bias is never dropped, and scaled once
    for twin in (copy.deepcopy(model[0]), pickle.loads(pickle.dumps(model[0]))):
        assert type(twin) is type(model[0])
        assert twin(x).shape == (6, 8)
    handle.undo()
    assert type(model[0]) is kind
    assert torch.equal(model.eval()(x), plain)


def test_a_whole_model_is_saved_and_copied_before_and_after_its_first_forward() -> None:
    model, x = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), torch.randn(5, 8)
    regularize(model, "masksembles", drop_rate=0.3)
    for _ in range(2):
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        for twin in (torch.load(file, weights_only=False), copy.deepcopy(model)):
            assert torch.equal(twin.eval()(x), model.eval()(x))
            twin.train()(x).sum().backward()
            assert model[0].weight.grad is None
            assert not twin._forward_hooks
        model.train()(x)


def test_pruning_added_meanwhile_stays() -> None:
    model, x = nn.Sequential(nn.Linear(8, 4)), torch.randn(3, 8)
    handle = regularize(model)
    prune.l1_unstructured(model[0], "weight", 0.5)
    parametrizations.weight_norm(model[0], "bias", dim=None)
    pruned = model.eval()(x)
    handle.undo()
    torch.testing.assert_close(model(x), pruned)
    assert not isinstance(model[0], PerNodeDropLinear)
    assert float((model[0].weight == 0).float().mean()) == 0.5


def test_parametrizations_removed_meanwhile_leave_the_regularizer() -> None:
    model = nn.Sequential(nn.Linear(8, 4))
    parametrizations.weight_norm(model[0])
    handle = regularize(model)
    nn.utils.parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is PerNodeDropLinear
    handle.undo()
    assert type(model[0]) is nn.Linear


def test_undo_touches_only_its_own_layers_wherever_they_are() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(8, 8)), nn.Linear(8, 4))
    inner, head = model[0][0], nn.Linear(8, 10)
    handle = regularize(model)
    model[1], model[0] = head, model[0][0]  # a new head, and a wrapper taken out
    handle.undo()
    assert (model[1] is head, model[0] is inner, type(inner)) == (True, True, nn.Linear)
    assert sorted(model.state_dict()) == ["0.bias", "0.weight", "1.bias", "1.weight"]
    with pytest.raises(ValueError, match="drop_rate must lie"):
        regularize(model, drop_rate=1.0)
    assert type(inner) is nn.Linear


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_regularizers_on_one_layer_replace_each_other_and_come_off_in_any_order(order: tuple[int, ...]) -> None:
    model, x = nn.Sequential(nn.Linear(8, 4)), torch.randn(3, 8)
    plain = model(x)
    handles = [regularize(model, name, nn.Linear, drop_rate=0.3) for name in ("dropout", "masksembles", "pernodedrop")]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    left = [0, 1, 2]
    for number in order:
        handles[number].undo()
        left.remove(number)
        masks = [name for name in model.state_dict() if name.endswith("masks")]
        assert bool(masks) == (left[-1:] == [1])
    assert torch.equal(model.eval()(x), plain)
    assert type(model[0]) is nn.Linear
    assert not model[0]._forward_pre_hooks


def test_what_cannot_be_taken_over_is_refused_and_nothing_is_changed() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), PerNodeDropLinear(8, 8))
    with pytest.raises(ValueError, match="layer '2' is a PerNodeDropLinear already: leave it out by where"):
        regularize(model, where=nn.Linear)
    model[1].generator = "mine"
    with pytest.raises(ValueError, match="layer '1' has a 'generator' of its own, which PerNodeDropLinear needs"):
        regularize(model)
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear, PerNodeDropLinear]
    assert not model[0]._forward_pre_hooks
    handle = regularize(model, where="0")
    model[0].__class__ = type("Foreign", (PerNodeDropLinear,), {})
    with pytest.raises(ValueError, match="layer '0' has become a Foreign since it was regularized: undo that first"):
        handle.undo()


def test_merge_and_what_it_refuses() -> None:
    model, x = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 4)), torch.randn(5, 16)
    plain = model(x).detach()
    handle = regularize(model, mask_mode="fixed")
    masked = model.eval()(x).detach()
    handle.undo()
    torch.testing.assert_close(model(x), masked)
    handle.merge()  # nothing is left to merge
    torch.testing.assert_close(model(x), masked)
    assert not torch.allclose(masked, plain)
    handle = regularize(model, "masksembles", drop_rate=0.3)
    with pytest.raises(ValueError, match="Masksembles evaluates by several masks"):
        handle.merge()
    handle.undo()
    torch.testing.assert_close(model(x), masked)
    model[1].weight = model[0].weight
    handle = regularize(model, mask_mode="fixed", where="1")
    with pytest.raises(ValueError, match="layer '1' shares its weight with '0', which its fixed mask would change"):
        handle.merge()


class Sharded(nn.Parameter):
    """Looks like a part of a parameter."""


Sharded.__name__ = "DTensor"


def test_a_sharded_layer_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].weight.__class__ = Sharded
    with pytest.raises(ValueError, match="layer '0' is sharded, and this process holds a part of it"):
        regularize(model)


class Named(nn.Linear):
    """A subclass without a forward of its own."""


@pytest.mark.wide
@pytest.mark.parametrize("settings", [{"regularizer": "standout"}, {"mask_mode": "fixed"}], ids=["standout", "fixed"])
def test_a_subclass_without_a_forward_is_exported_and_compiled_as_it_computes(settings: dict[str, str]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Named(6, 4), nn.ReLU())
    plain = copy.deepcopy(model)
    regularize(model, **{"regularizer": "pernodedrop", "drop_rate": 0.5, "where": "0", **settings})  # type: ignore[arg-type]
    model.eval()
    x = torch.randn(5, 6)
    exported = torch.export.export(model, (x[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)).module()
    compiled = torch.compile(model, backend="eager")
    assert not torch.allclose(model(x), plain(x))
    torch.testing.assert_close(exported(x), model(x))
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.wide
def test_a_compiled_subclass_without_a_forward_draws_its_noise() -> None:
    model = nn.Sequential(Named(6, 4), nn.ReLU()).train()
    regularize(model, regularizer="pernodedrop", drop_rate=0.5, where="0")
    compiled = torch.compile(model, backend="eager")
    x = torch.ones(5, 6)
    assert not torch.equal(compiled(x), compiled(x))
    assert not torch.equal(model(x), model(x))
