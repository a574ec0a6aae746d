"""LSTM and GRU over a sequence, with slots before the recurrence and in the classification head."""

from collections import OrderedDict

from torch import Tensor, nn

from pernodedrop import SharedNoiseLinear
from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation
from workers.tasks.backbones.tokens import Tokens

WIDTH = 64  # of the embedding and of the recurrent state

CELLS: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


def recurrent(cell: str, tokens: Tokens, classes: int, config: TrialConfig) -> nn.Sequential:
    """The inputs of `tokens` to logits (B, classes), by the `cell` "lstm" or "gru".

    Tokens are embedded one by one and pass the first slot into the recurrence; the mean of its states passes the
    second slot to the logits. Both slots have `config.units` units. The noise of the first is drawn once a sample and
    shared by all its tokens, for every variant without `time_correlation` (see `SharedNoiseLinear`). The cell is the
    place "recurrence".
    """
    parts = OrderedDict(
        tokens=tokens,
        embedding=nn.Sequential(nn.Linear(tokens.features, WIDTH), nn.ReLU()),
        entry=_slot(SharedNoiseLinear, config),
        recurrence=MeanState(CELLS[cell](config.units, WIDTH, batch_first=True)),
        head=_slot(nn.Linear, config),
        logits=nn.Linear(config.units, classes),
    )
    return nn.Sequential(parts)


class MeanState(nn.Module):
    """The mean over the steps of the cell's states: (B, T, F) to (B, 64)."""

    def __init__(self, cell: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.cell(x)[0]
        return states.mean(dim=1)


def _slot(dense: type[nn.Linear], config: TrialConfig) -> nn.Sequential:
    return nn.Sequential(OrderedDict(slot=dense(WIDTH, config.units), activation=activation(config)))
