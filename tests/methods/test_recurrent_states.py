"""Initial states of a recurrence: what torch refuses is refused, in training as in evaluation."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.methods.test_recurrent import CELLS, cells, same, tensors

INPUT, UNBATCHED = (6, 3, 5), (6, 5)
WRONG = {  # the shape of the input, and of the states, of two layers
    "one sample's": (INPUT, (2, 1, 4)),
    "a layer more": (INPUT, (3, 3, 4)),
    "a layer less": (INPUT, (1, 3, 4)),
    "one unit": (INPUT, (2, 3, 1)),
    "samples missing": (INPUT, (2, 4)),
    "samples too many": (INPUT, (1, 2, 3, 4)),
    "of a batch": (UNBATCHED, (2, 3, 4)),
    "of a batch of one": (UNBATCHED, (2, 1, 4)),
    "a layer more, one sample": (UNBATCHED, (3, 4)),
    "four dimensions": ((6, 3, 5, 1), (2, 3, 4)),
}


def made(cell: str, **settings: Any) -> list[nn.Module]:
    """torch's own, and ours in training and in evaluation."""
    plain, zoned, masked = CELLS[cell]
    like = plain(5, 4, num_layers=2, **settings)
    trained = [same(kind(5, 4, num_layers=2, drop_rate=0.3, **settings), like) for kind in (zoned, masked)]
    return [like, *trained, same(zoned(5, 4, num_layers=2, **settings), like).eval()]


def given(cell: str, state: Tensor) -> Any:
    return (state, state) if cell == "lstm" else state


@cells
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_state_of_another_shape_is_refused_as_torch_refuses_it(cell: str, wrong: str, batch_first: bool) -> None:
    of_input, of_state = WRONG[wrong]
    if batch_first and len(of_input) == 3:
        of_input = (of_input[1], of_input[0], of_input[2])
    theirs, *ours = made(cell, batch_first=batch_first)
    x, state = torch.randn(of_input), given(cell, torch.randn(of_state))
    with pytest.raises((RuntimeError, ValueError)) as refusal:
        theirs(x, state)
    for layer in ours:
        with pytest.raises(refusal.type) as ours_refused:
            layer(x, state)
        assert len(str(ours_refused.value).splitlines()) == 1


@cells
def test_a_state_of_other_numbers_is_refused(cell: str) -> None:
    theirs, *ours = made(cell)
    x, state = torch.randn(INPUT), given(cell, torch.randn(2, 3, 4, dtype=torch.float64))
    for layer in (theirs, *ours):
        with pytest.raises((RuntimeError, ValueError)):
            layer(x, state)


def test_an_lstm_takes_two_states() -> None:
    _, *ours = made("lstm")
    state = torch.randn(2, 3, 4)
    for layer in ours:
        with pytest.raises(RuntimeError, match="expects 2 initial states, got 1"):
            layer(torch.randn(INPUT), (state,))


@cells
@pytest.mark.parametrize(("of_input", "of_state"), [(INPUT, (2, 3, 4)), (UNBATCHED, (2, 4))])
def test_what_fits_runs(cell: str, of_input: tuple[int, ...], of_state: tuple[int, ...]) -> None:
    theirs, *ours = made(cell)
    x, state = torch.randn(of_input), given(cell, torch.randn(of_state))
    shapes = [each.shape for each in tensors(theirs(x, state))]
    for layer in ours:
        assert [each.shape for each in tensors(layer(x, state))] == shapes
