"""Noise within a recurrence: the steps are torch's, and the noise is zoneout's or that of one mask a sequence."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import mc_mode, regularize
from pernodedrop.methods.variational_rnn_dropout import VariationalGRU, VariationalLSTM
from pernodedrop.methods.zoneout import ZoneoutGRU, ZoneoutLSTM
from tests.layers.evidence import assert_mean

Z_HIDDEN, Z_CELL = 0.2, 0.6
NEVER = 1e-30  # a rate at which the steps are ours and nothing is drawn in a test's time
CELLS = {"lstm": (nn.LSTM, ZoneoutLSTM, VariationalLSTM), "gru": (nn.GRU, ZoneoutGRU, VariationalGRU)}
cells = pytest.mark.parametrize("cell", CELLS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(of: nn.Module, like: nn.Module) -> nn.Module:
    of.load_state_dict(like.state_dict())
    return of.to(next(like.parameters()).dtype)


def tensors(result: Any) -> list[Tensor]:
    outputs, states = result
    return [outputs, *(states if isinstance(states, tuple) else [states])]


@cells
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"batch_first": True, "bias": False, "num_layers": 2},
    ],
)
def test_the_steps_are_torchs(cell: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain_kind, zoneout_kind, variational_kind = CELLS[cell]
    plain = plain_kind(3, 4, **settings).double()
    x = torch.randn(5, 5, 3, dtype=torch.float64)
    shape = (settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1), 5, 4)
    state: Any = torch.randn(shape, dtype=torch.float64)
    state = (state, state.flip(0)) if cell == "lstm" else state
    zoned = zoneout_kind(3, 4, drop_rate=NEVER, z_cell=0.0, **settings)
    masked = variational_kind(3, 4, drop_rate=NEVER, **settings)
    for layer in (same(zoned, plain), same(masked, plain)):
        for given in (None, state):
            for ours, theirs in zip(tensors(layer(x, given)), tensors(plain(x, given)), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-14)
        alone = x[:, 0] if not settings.get("batch_first") else x[0]  # (T, I)
        for ours, theirs in zip(tensors(layer(alone)), tensors(plain(alone)), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-14)
    with pytest.raises(ValueError, match=r"takes padded inputs \(B, T, I\), got a PackedSequence"):
        zoned(nn.utils.rnn.pack_sequence([x[0]]))


@cells
def test_at_rates_of_zero_torchs_own_code_runs(cell: str) -> None:
    plain_kind, zoneout_kind, variational_kind = CELLS[cell]
    plain, x = plain_kind(3, 4), torch.randn(5, 2, 3)
    off = [zoneout_kind(3, 4, drop_rate=0.0, z_cell=0.0), variational_kind(3, 4, drop_rate=0.0)]
    for layer in (*off, variational_kind(3, 4, drop_rate=0.4).eval()):
        assert all(torch.equal(*pair) for pair in zip(tensors(same(layer, plain)(x)), tensors(plain(x)), strict=True))


def one_step(cell: str, samples: int) -> tuple[nn.Module, Tensor, Any, Tensor, Tensor | None]:
    """A plain recurrence, an input (1, B, 3), a state, and the state and cell (B, 4) after one step."""
    torch.manual_seed(0)
    plain = CELLS[cell][0](3, 4)
    x, old = torch.randn(1, 1, 3).expand(1, samples, 3), torch.randn(1, 1, 4).expand(1, samples, 4)
    state: Any = (old, -2 * old) if cell == "lstm" else old
    with torch.no_grad():
        _, *after = tensors(plain(x, state))
    return plain, x, state, after[0][0], after[1][0] if cell == "lstm" else None


@cells
def test_a_unit_keeps_its_state_at_its_rate(cell: str) -> None:
    """The state h~ is that of the cell before zoneout: else it would be none of two values."""
    plain, x, state, hidden, inner = one_step(cell, 4000)
    layer = same(CELLS[cell][1](3, 4, drop_rate=Z_HIDDEN, z_cell=Z_CELL, generator=seeded(1)), plain)
    with torch.no_grad():
        _, *found = tensors(layer(x, state))
    old = state if cell == "gru" else state[0]
    kept = found[0][0] == old[0]
    torch.testing.assert_close(found[0][0][~kept], hidden[~kept])
    assert_mean(kept.double().flatten(), Z_HIDDEN)
    if inner is not None:
        kept_cell = found[1][0] == state[1][0]
        torch.testing.assert_close(found[1][0][~kept_cell], inner[~kept_cell])
        assert_mean(kept_cell.double().flatten(), Z_CELL)
        assert_mean((kept & kept_cell).double().flatten(), Z_HIDDEN * Z_CELL)  # each by a coin of its own


@cells
def test_evaluation_takes_the_mean_of_every_step(cell: str) -> None:
    """Of three steps, by torch's cells one at a time; nothing is rescaled."""
    torch.manual_seed(0)
    plain = CELLS[cell][0](3, 4)
    layer = same(CELLS[cell][1](3, 4, drop_rate=Z_HIDDEN, z_cell=Z_CELL), plain).eval()
    x = torch.randn(3, 2, 3)
    hidden, inner = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    for step in x:
        _, *after = tensors(plain(step[None], (hidden, inner) if cell == "lstm" else hidden))
        hidden = Z_HIDDEN * hidden + (1 - Z_HIDDEN) * after[0]
        inner = Z_CELL * inner + (1 - Z_CELL) * after[-1]
    outputs, *states = tensors(layer(x))
    torch.testing.assert_close(states[0], hidden)
    torch.testing.assert_close(outputs[-1], hidden[0])
    if cell == "lstm":
        torch.testing.assert_close(states[1], inner)
    with mc_mode(layer):
        assert not torch.equal(layer(x)[0], layer(x)[0])


def test_coins_are_fresh_at_every_step() -> None:
    layer = ZoneoutGRU(1, 1000, drop_rate=0.3, generator=seeded(3))
    with torch.no_grad():
        outputs = layer(torch.ones(3, 1, 1))[0][:, 0]  # T, H
    stayed = [outputs[0] == 0.0, outputs[1] == outputs[0], outputs[2] == outputs[1]]
    for kept in stayed:
        assert_mean(kept.double(), 0.3)
    assert_mean((stayed[1] & stayed[2]).double(), 0.09)


@cells
def test_one_mask_of_inputs_and_one_of_states_last_a_sequence(cell: str) -> None:
    """By hand: the masks first drawn multiply every step's input, and the state that the gates recall."""
    torch.manual_seed(0)
    kind = CELLS[cell][2]
    layer = kind(3, 4, drop_rate=0.4, generator=seeded(5))
    x = torch.randn(6, 7, 3)
    again = seeded(5)
    of_inputs = (torch.rand(1, 7, 3, generator=again) >= 0.4) / 0.6
    of_states = (torch.rand(7, 4, generator=again) >= 0.4) / 0.6
    gates = 4 if cell == "lstm" else 3
    hidden = inner = torch.zeros(7, 4)
    for step in x * of_inputs:
        entering = (layer.weight_ih_l0 @ step.T).T + layer.bias_ih_l0
        recalled = (layer.weight_hh_l0 @ (hidden * of_states).T).T + layer.bias_hh_l0
        one, other = entering.reshape(7, gates, 4), recalled.reshape(7, gates, 4)
        if cell == "lstm":
            enter, forget, candidate, out = (one + other).unbind(1)
            inner = torch.sigmoid(forget) * inner + torch.sigmoid(enter) * torch.tanh(candidate)
            hidden = torch.sigmoid(out) * torch.tanh(inner)
        else:
            reset, update = torch.sigmoid((one + other)[:, :2]).unbind(1)
            hidden = (1 - update) * torch.tanh(one[:, 2] + reset * other[:, 2]) + update * hidden
    found = tensors(layer(x))
    torch.testing.assert_close(found[1][0], hidden)
    assert not torch.equal(layer(x)[0], found[0])  # another sequence, another mask


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"z_cell must lie in \[0, 1\), got 1.0"):
        regularize(nn.Sequential(nn.LSTM(3, 4)), "zoneout", options={"z_cell": 1.0})
    with pytest.raises(ValueError, match=r"takes no nn.LSTM with a projection, got proj_size 2: give it proj_size 0"):
        regularize(nn.Sequential(nn.LSTM(3, 4, proj_size=2)), "variational_rnn_dropout")
    handle = regularize(nn.Sequential(nn.LSTM(3, 4)), "zoneout")
    with pytest.raises(ValueError, match=r"evaluates by the mean of its masks at every step, .*: keep it, or undo"):
        handle.merge()
    regularize(nn.Sequential(nn.GRU(3, 4)), "variational_rnn_dropout").merge()


@cells
def test_inputs_that_do_not_fit_are_refused_in_one_line(cell: str) -> None:
    for kind in CELLS[cell][1:]:
        layer = kind(3, 4, batch_first=True)
        for shape in ((2, 0, 3), (0, 3)):
            with pytest.raises(ValueError, match=r": x must have at least one step, got shape \(.*\): leave it out$"):
                layer(torch.ones(shape))
        with pytest.raises(ValueError, match=r": x must end in 3 features, got shape \(2, 5, 4\)$"):
            layer(torch.ones(2, 5, 4))
        for dtype in (torch.int64, torch.float64):
            with pytest.raises(
                RuntimeError, match=rf"must have one dtype, got {dtype} and torch.float32: convert one$"
            ):
                layer(torch.ones(2, 5, 3, dtype=dtype))
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.ones(2, 5, 3, dtype=torch.bfloat16))
        assert layer(torch.ones(0, 5, 3))[0].shape == (0, 5, 4)
