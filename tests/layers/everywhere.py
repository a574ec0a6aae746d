"""What holds for every layer of the family in everybody's model: cases, and the table of layers and cases in docs.

    python -m tests.layers.everywhere    # writes the table into docs/layers.md

A case asserts what is right; a layer may refuse it by an error of one line, which the table then quotes.
"""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

from pernodedrop import mc_mode
from tests.layers.subjects import LAYERS, Case, seeded

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"
BEGIN, END = "<!-- written by tests/layers/everywhere.py -->", "<!-- end -->"


def checkpointed(case: Case, use_reentrant: bool) -> None:
    """The gradients of two passes are those without checkpoints, at the same draws of an explicit generator."""

    def gradients(through: Callable[[nn.Module, Tensor], Tensor]) -> list[Tensor]:
        layer = case.layer(generator=torch.Generator().manual_seed(5))
        x = case.x(requires_grad=True)
        torch.manual_seed(3)
        (through(layer, x) * through(layer, x)).sum().backward()
        return [x.grad, *(parameter.grad for parameter in layer.parameters())]

    plain = gradients(lambda layer, x: layer(x))
    again = gradients(lambda layer, x: checkpoint(layer, x, use_reentrant=use_reentrant))
    for mine, theirs in zip(plain, again, strict=True):
        torch.testing.assert_close(mine, theirs)


def copied(case: Case) -> None:
    layer, x = case.layer(generator=torch.Generator().manual_seed(5)), case.x()
    assert torch.equal(layer(x), copy.deepcopy(layer)(x)) != case.draws


def state(case: Case) -> None:
    layer, other, x = case.layer(), case.build(), case.x()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(seeded(layer, x), seeded(other, x))


def to_empty(case: Case) -> None:
    layer = case.layer(device="meta").to_empty(device="cpu")
    for tensor in (*layer.parameters(), *layer.buffers()):
        tensor.detach().fill_(float("nan"))
    for module in layer.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert bool(layer(case.x()).isfinite().all())


def meta(case: Case) -> None:
    y = case.layer(device="meta")(torch.empty(case.shape, device="meta"))
    assert (y.is_meta, y.shape) == (True, case.layer()(case.x()).shape)


def _law(case: Case, run: Callable[[nn.Module, Tensor], Tensor], dtype: torch.dtype) -> None:
    """Of inputs whose squares float16 does not hold: finite, with the moments of single precision."""
    layer = case.layer()
    x = case.x().abs().add(0.5).mul(300.0)

    def moments(call: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        torch.manual_seed(4)
        y = torch.stack([call(x).detach() for _ in range(100)])
        assert bool(y.isfinite().all())
        return y.double().mean((0, 1)), y.double().square().mean().sqrt()

    single, scale = moments(layer)
    half, half_scale = moments(lambda inputs: run(layer, inputs))
    torch.testing.assert_close(half_scale, scale, rtol=0.05, atol=0.0)
    assert float((half - single).square().mean().sqrt()) < 0.2 * float(scale)
    assert run(layer, x).dtype == dtype


def precision(case: Case, dtype: torch.dtype) -> None:
    copies = copy.deepcopy(case.layer()).to(dtype)
    copies.load_state_dict(case.layer().state_dict())
    _law(case, lambda _, x: copies(x.to(dtype)), dtype)


def autocast(case: Case, dtype: torch.dtype) -> None:
    def run(layer: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype):
            return layer(x)

    _law(case, run, dtype if list(case.layer().parameters()) else torch.float32)


def compiled(case: Case) -> None:
    torch._dynamo.reset()
    layer, x = case.layer(), case.x()
    y = seeded(torch.compile(layer, fullgraph=True, backend="eager"), x)
    assert case.name == "Dropout" or torch.equal(y, seeded(layer, x))


def mapped(case: Case) -> None:
    layer, x = case.layer(), case.x().expand(5, *case.shape)
    y = torch.func.vmap(layer, randomness="different")(x)
    assert torch.equal(y[0], y[1]) != case.draws
    y = torch.func.vmap(layer, randomness="same")(x)
    assert torch.equal(y[0], y[1])
    if case.draws:
        try:
            torch.func.vmap(layer)(x)
        except RuntimeError as error:
            assert "randomness" in str(error)
        else:
            raise AssertionError("vmap must refuse to draw unless it is told how")


def per_sample_gradients(case: Case) -> None:
    layer = case.layer()
    parameters = dict(layer.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (x,)).square().sum()

    x = case.x()
    parts = x.unsqueeze(1)
    each = torch.func.vmap(torch.func.grad(loss, argnums=1), in_dims=(None, 0), randomness="different")
    assert each(parameters, parts).shape == parts.shape
    torch.manual_seed(3)
    gradient = torch.func.grad(loss, argnums=1)(parameters, x)
    x.requires_grad_()
    seeded(lambda x: layer(x).square().sum(), x).backward()
    torch.testing.assert_close(gradient, x.grad)


def forward_mode(case: Case) -> None:
    """The derivative along the input is the output of a layer that is homogeneous in it; the others are affine."""
    layer, x = case.layer(), case.x()
    torch.manual_seed(3)
    value, tangent = torch.func.jvp(layer, (x,), (x,))
    torch.testing.assert_close(seeded(layer, 2 * x) - value if case.is_affine else value, tangent)
    assert bool((tangent != 0).any())


def unbatched(case: Case) -> None:
    layer, x = case.layer(), case.x()
    assert layer(x[0]).shape == layer.eval()(x[0]).shape


def empty(case: Case) -> None:
    x = case.x()[:0].requires_grad_()
    layer = case.layer()
    y = layer(x)
    y.sum().backward()
    assert y.shape == layer.eval()(x).shape
    assert x.grad.shape == x.shape


def nested(case: Case) -> None:
    parts = [case.x()[:3], case.x()[:5]]
    x = torch.nested.nested_tensor(parts, layout=torch.jagged)
    y = case.layer()(x)
    assert [part.shape[0] for part in y.unbind()] == [3, 5]
    assert (y + 0.0 * case.layer().eval()(x)).shape == y.shape


def hooked(case: Case) -> None:
    layer, x, seen = case.layer(), case.x(), []
    layer.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0],))
    layer.register_forward_hook(lambda _, inputs, output: seen.append(output))
    y = seeded(layer, x)
    assert seen[0] is y
    torch.testing.assert_close(y, seeded(case.layer(), 2 * x))


def pickled(case: Case) -> None:
    layer, x = case.layer(generator=torch.Generator().manual_seed(5)), case.x()
    twin = pickle.load(io.BytesIO(pickle.dumps(layer)))
    assert torch.equal(seeded(layer, x), seeded(twin, x))
    assert torch.equal(layer.eval()(x), twin.eval()(x))


def replicated(case: Case) -> None:
    layer, x = case.layer(), case.x()
    replica = layer._replicate_for_data_parallel()
    for name, parameter in layer._parameters.items():
        setattr(replica, name, parameter)
    assert torch.equal(seeded(layer, x), seeded(replica, x))


def traced(case: Case) -> None:
    model, x = nn.Sequential(case.layer(), nn.ReLU()), case.x()
    graph = fx.symbolic_trace(model)
    assert torch.equal(seeded(graph, x), seeded(model, x))
    assert torch.equal(graph(x), graph(x)) != case.draws
    assert torch.equal(graph.eval()(x), model.eval()(x))


def monte_carlo(case: Case) -> None:
    model, x = nn.Sequential(case.layer(), nn.BatchNorm1d(8)).eval(), case.x()
    with mc_mode(model):
        assert not model[1].training
        assert not torch.equal(model[0](x), model[0](x))
    assert torch.equal(model[0](x), model[0](x))
    for module in model[0].modules():
        if isinstance(module, nn.Dropout):
            module.train()
    assert not torch.equal(model[0](x), model[0](x))
    assert torch.equal(model.eval()[0](x), model[0](x))


CASES: dict[str, Callable[[Case], None]] = {
    "checkpoint, reentrant": lambda case: checkpointed(case, use_reentrant=True),
    "checkpoint, not reentrant": lambda case: checkpointed(case, use_reentrant=False),
    "deepcopy": copied,
    "state_dict": state,
    "to_empty": to_empty,
    "meta device": meta,
    "float16": lambda case: precision(case, torch.float16),
    "bfloat16": lambda case: precision(case, torch.bfloat16),
    "autocast to float16": lambda case: autocast(case, torch.float16),
    "autocast to bfloat16": lambda case: autocast(case, torch.bfloat16),
    "torch.compile": compiled,
    "vmap": mapped,
    "grad": per_sample_gradients,
    "jvp": forward_mode,
    "one sample without a batch": unbatched,
    "empty batch": empty,
    "nested tensor": nested,
    "hooks": hooked,
    "pickle": pickled,
    "replicas": replicated,
    "torch.fx": traced,
    "mc_mode": monte_carlo,
}


def outcome(layer: str, case: str) -> str:
    """The empty string where the case holds, else the line by which the layer refuses it."""
    threads = torch.get_num_threads()
    try:
        CASES[case](Case(layer))
    except (RuntimeError, ValueError) as error:
        said = str(error)
        assert "\n" not in said and len(said) > 20, said
        return said
    finally:
        torch.set_num_threads(threads)
    return ""


def table(outcomes: dict[tuple[str, str], str]) -> str:
    """One row a case, one column a layer, and the refusals in words."""
    numbers: dict[str, int] = {}
    rows = []
    for case in CASES:
        cells = [outcomes[layer, case] for layer in LAYERS]
        cells = [f"refused ({numbers.setdefault(cell, len(numbers) + 1)})" if cell else "yes" for cell in cells]
        rows.append(f"| {case} | " + " | ".join(cells) + " |")
    head = ["| | " + " | ".join(LAYERS) + " |", "| --- " * (len(LAYERS) + 1) + "|"]
    notes = [f"{number}. {said}" for said, number in numbers.items()]
    return "\n".join([BEGIN, "", *head, *rows, "", *notes, "", END])


def every() -> dict[tuple[str, str], str]:
    return {(layer, case): outcome(layer, case) for layer in LAYERS for case in CASES}


def main() -> None:
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + table(every()) + rest.split(END)[1])


if __name__ == "__main__":
    main()
