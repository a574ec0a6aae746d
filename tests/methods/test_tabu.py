"""Tabu dropout: the law of its chain, its state, and passes that are computed again."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from pernodedrop import mc_mode
from pernodedrop.methods.tabu import TabuLinear
from search_spaces import TrialConfig
from tests.layers.everywhere import checkpointed
from tests.layers.evidence import assert_mean
from tests.methods.laws import seeded
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import training

UNITS = 40_000


def chain(layer: TabuLinear, steps: int) -> Tensor:
    """Which inputs (steps, I) are dropped; all of the outputs' noise is in the mask."""
    found = []
    with torch.no_grad():
        layer.weight.fill_(1.0 / layer.in_features)
        layer.bias.zero_()
        for _ in range(steps):
            y = layer(torch.ones(1, layer.in_features))
            dropped = layer.waits == layer.tenure
            found.append(dropped)
            share = dropped.double().mean()
            q = layer.chances[0].item()
            assert y.item() == pytest.approx((1 - share.item()) / (1 - q), rel=1e-4)  # the scale is the chance's
    return torch.stack(found).double()


@pytest.mark.parametrize(("p", "tenure"), [(0.2, 1), (0.5, 1), (0.4, 3), (0.9, 1)])
def test_the_share_of_drops_and_their_correlations_are_those_of_the_chain_from_the_start(p: float, tenure: int) -> None:
    layer = TabuLinear(UNITS, 1, drop_rate=p, tenure=tenure, generator=seeded())
    dropped = chain(layer, 8).T  # a row for every unit
    q = p / (1 + p * tenure)
    assert_mean(dropped, q)  # in every step, the first too
    for lag in range(1, tenure + 1):
        assert not bool((dropped[:, lag:] * dropped[:, :-lag]).any())  # tabu
    centred = dropped - q
    lag_1 = centred[:, 1:] * centred[:, :-1]
    assert_mean(lag_1 / (q * (1 - q)), -q / (1 - q))
    if tenure == 1:
        assert -q / (1 - q) == pytest.approx(-p)
        assert_mean(centred[:, 2:] * centred[:, :-2] / (q * (1 - q)), p**2)
    after = dropped[:, tenure + 1 :][dropped[:, : -tenure - 1] == 1]
    assert_mean(after, p)  # free again


def test_the_mean_stays_one_while_the_rate_changes() -> None:
    layer = TabuLinear(UNITS, 1, drop_rate=0.0, tenure=2, generator=seeded())
    shares = []
    for step in range(9):
        layer.drop_rate = 0.1 * step
        shares.append(chain(layer, 1).mean().item())
        q = layer.chances[0].item()
        assert shares[-1] == pytest.approx(q, abs=5 * (q * (1 - q) / UNITS) ** 0.5)
    assert shares[0] == 0.0
    assert shares[-1] != pytest.approx(0.8 / 2.6, abs=0.01)  # not the share of a constant rate


def test_monte_carlo_masks_are_independent_and_leave_the_state_alone() -> None:
    layer = TabuLinear(2, 2, drop_rate=0.5, generator=seeded()).eval()
    torch.nn.init.eye_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    before = copy.deepcopy(layer.state_dict())
    with torch.no_grad(), mc_mode(layer):
        y = torch.stack([layer(torch.ones(2)) for _ in range(2000)])
    assert_mean(y, 1.0)
    assert_mean((y == 0).double(), 1 / 3)
    assert_mean((y[1:, 0] == 0).double() * (y[:-1, 0] == 0), 1 / 9)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpoint_computes_the_same_masks_again(use_reentrant: bool) -> None:
    made = []

    def layer(generator: torch.Generator) -> TabuLinear:
        torch.manual_seed(1)
        made.append(TabuLinear(16, 8, generator=generator))
        return made[-1]

    case = SimpleNamespace(layer=layer, x=lambda **more: torch.randn(12, 16, **more))
    torch.manual_seed(2)
    x = case.x()
    case.x = lambda **more: x.clone().requires_grad_()
    checkpointed(case, use_reentrant)  # type: ignore[arg-type]
    plain, again = made
    assert torch.equal(plain.waits, again.waits)  # two passes moved it on, not four


def test_a_compiled_layer_moves_on_as_the_layer_does_whatever_its_rate() -> None:
    torch._dynamo.reset()
    graphs = []

    def counted(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    layer, x = TabuLinear(16, 8), torch.randn(4, 16)
    twin = copy.deepcopy(layer)
    compiled = torch.compile(twin, fullgraph=True, backend=counted)
    for rate in (0.5, 0.4, 0.3, 0.2, 0.6):
        layer.drop_rate = twin.drop_rate = rate
        torch.manual_seed(3)
        y = layer(x)
        torch.manual_seed(3)
        assert torch.equal(compiled(x), y)
    assert torch.equal(twin.waits, layer.waits)
    assert len(graphs) == 2  # the first rate as a constant, and any rate


def test_the_share_is_a_fact_of_the_training() -> None:
    run = training(Circles(), TrialConfig("tabu", drop_rate=0.4, units=12, extra={"tenure": 2}))
    assert run.facts["effective_drop_rate"] == pytest.approx(0.4 / 1.8)
