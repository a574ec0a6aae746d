"""torch's LSTM and GRU computed step by step, so that noise can act within the steps."""

import abc
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from pernodedrop import autocast
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.methods.elsewhere import Elsewhere
from pernodedrop.regularization import Regularization


class StepNoise:
    """The noise of one layer and direction in one forward pass; by default none. States are (B, H)."""

    def entering(self, x: Tensor) -> Tensor:
        """What of the inputs (T, B, I) enters the gates."""
        return x

    def recalled(self, hidden: Tensor) -> Tensor:
        """What of the hidden state enters the gates."""
        return hidden

    def hidden(self, step: int, old: Tensor, new: Tensor) -> Tensor:
        """The hidden state after a step that would make the old one the new one."""
        return new

    def cell(self, step: int, old: Tensor, new: Tensor) -> Tensor:
        """The cell of an LSTM after a step that would make the old one the new one."""
        return new


class _Weights(NamedTuple):
    """Of one layer and direction: the gates' weights, of an LSTM 4 H rows, of a GRU 3 H."""

    of_input: Tensor
    of_hidden: Tensor
    bias_of_input: Tensor | None
    bias_of_hidden: Tensor | None


class Unrolled(Noisy):
    """A base in front of nn.LSTM or nn.GRU, whose weights, arguments and results it has.

    Torch's own code runs while the noise does not act.

    Raises:
        ValueError: drop_rate outside [0, 1), or an input is a PackedSequence, has other features, or no step.
    """

    def __init__(
        self, *args: Any, drop_rate: float = 0.5, generator: torch.Generator | None = None, **settings: Any
    ) -> None:
        check_drop_rate(drop_rate)
        super().__init__(*args, **settings)
        self.drop_rate = drop_rate
        self.generator = generator
        self.add_switch()

    @property
    def is_lstm(self) -> bool:
        return issubclass(type(self), nn.LSTM)

    @property
    @abc.abstractmethod
    def acts(self) -> bool:
        """Whether the next forward computes anything but torch's own."""

    @abc.abstractmethod
    def noise_of(self, x: Tensor, hidden: Tensor) -> StepNoise:
        """The noise of a layer and direction for inputs (T, B, I) and an initial state (B, H)."""

    @leaf
    def _computed(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002 - torch's own name
        if not self.acts:
            return super().forward(input, hx)
        own = cast(nn.LSTM, self)
        self._check(input)
        is_batched = input.dim() == 3
        x = input if is_batched else input.unsqueeze(0 if own.batch_first else 1)
        x = x.transpose(0, 1) if own.batch_first else x  # T, B, I
        given: list[Tensor | None] = [None, None]
        if hx is not None:
            given = self._begun(input, list(hx) if self.is_lstm else [hx])
        outputs, hidden, cells = self._layers(x, *given)
        outputs = outputs.transpose(0, 1) if own.batch_first else outputs
        if not is_batched:
            outputs = outputs.squeeze(0 if own.batch_first else 1)
            hidden, cells = hidden.squeeze(1), cells.squeeze(1)
        return outputs, (hidden, cells) if self.is_lstm else hidden

    forward: Any = _computed  # torch annotates its two recurrences differently

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.drop_rate}"

    def _check(self, x: Tensor) -> None:
        own, name = cast(nn.LSTM, self), type(self).__name__
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} takes padded inputs (B, T, I), got a {type(x).__name__}")
        if x.dim() not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {x.dim()}D instead")
        if x.shape[-1] != own.input_size:
            raise ValueError(f"{name}: x must end in {own.input_size} features, got shape {tuple(x.shape)}")
        if x.shape[1 if own.batch_first and x.dim() == 3 else 0] == 0:
            raise ValueError(f"{name}: x must have at least one step, got shape {tuple(x.shape)}: leave it out")
        weight = own.weight_ih_l0
        if x.dtype != weight.dtype and not autocast.is_on(x):
            raise RuntimeError(
                f"{name}: x and the weights must have one dtype, got {x.dtype} and {weight.dtype}: convert one"
            )

    def _begun(self, input: Tensor, states: list[Tensor]) -> list[Tensor | None]:  # noqa: A002
        """The hidden state and the cell, if any, (L D, B, H) at the start; raises where torch refuses those given."""
        own = cast(nn.LSTM, self)
        names = ["hx", "cx"] if self.is_lstm else ["hx"]
        if len(states) != len(names):
            raise RuntimeError(f"{type(self).__name__} expects {len(names)} initial states, got {len(states)}")
        kind, dim = ("batched", 3) if input.dim() == 3 else ("unbatched", 2)
        if any(state.dim() != dim for state in states):
            got = ", ".join(f"{state.dim()}-D" for state in states)
            raise RuntimeError(f"For {kind} {dim}-D input, {' and '.join(names)} should also be {dim}-D but got {got}")
        if dim == 2:
            input = input.unsqueeze(0 if own.batch_first else 1)  # noqa: A001
            states = [state.unsqueeze(1) for state in states]
        expected = own.get_expected_hidden_size(input, None)
        for state in states:
            own.check_hidden_size(state, expected)
        for name, state in zip(names, states, strict=True):
            if state.dtype != input.dtype and not autocast.is_on(input):
                raise RuntimeError(f"Input and {name} must have one dtype, got {input.dtype} and {state.dtype}")
        return [*states, *[None] * (2 - len(states))]

    def _layers(self, x: Tensor, hidden: Tensor | None, cells: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (T, B, D H) and the last states (L D, B, H) of L layers in D directions."""
        own = cast(nn.LSTM, self)
        directions = 2 if own.bidirectional else 1
        last: list[tuple[Tensor, Tensor]] = []
        for layer in range(own.num_layers):
            parts = []
            for backward in range(directions):
                at = len(last)
                steps = x.flip(0) if backward else x
                weights = self._weights(f"l{layer}" + ("_reverse" if backward else ""))
                begun = (None if states is None else states[at] for states in (hidden, cells))
                part, *states = self._steps(steps, weights, *begun)
                parts.append(part.flip(0) if backward else part)
                last.append((states[0], states[1]))
            x = torch.cat(parts, dim=-1)
            if own.dropout > 0.0 and layer < own.num_layers - 1:
                x = nn.functional.dropout(x, own.dropout, self.training)
        return x, torch.stack([states[0] for states in last]), torch.stack([states[1] for states in last])

    def _steps(self, x: Tensor, weights: _Weights, hidden: Tensor | None, cell: Tensor | None) -> list[Tensor]:
        """Outputs (T, B, H), and the hidden state and the cell (B, H) after them."""
        start = x.new_zeros(x.shape[1], weights.of_hidden.shape[1])
        noise = self.noise_of(x, start)
        gates = nn.functional.linear(noise.entering(x), weights.of_input, weights.bias_of_input)  # T, B, 4 H or 3 H
        start = start.to(gates.dtype)
        hidden, cell = (start if state is None else state for state in (hidden, cell))
        outputs = []
        for step, of_input in enumerate(gates):
            recalled = noise.recalled(hidden)
            of_hidden = nn.functional.linear(recalled, weights.of_hidden, weights.bias_of_hidden)
            if self.is_lstm:
                new, new_cell = lstm_step(of_input + of_hidden, cell)
                cell = noise.cell(step, cell, new_cell)
            else:
                new = gru_step(of_input, of_hidden, hidden)
            hidden = noise.hidden(step, hidden, new)
            outputs.append(hidden)
        return [torch.stack(outputs), hidden, cell]

    def _weights(self, suffix: str) -> _Weights:
        names = [f"{part}_{of}_{suffix}" for part in ("weight", "bias") for of in ("ih", "hh")]
        return _Weights(*(getattr(self, name, None) for name in names))  # type: ignore[arg-type]


def lstm_step(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """The hidden state and the cell (B, H) from the gates (B, 4 H) and the cell before."""
    enter, forget, candidate, out = gates.chunk(4, dim=-1)
    new = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
    return out.sigmoid() * new.tanh(), new


def gru_step(of_input: Tensor, of_hidden: Tensor, hidden: Tensor) -> Tensor:
    """The hidden state (B, H) from both parts of the gates (B, 3 H) and the state before."""
    (reset, update, candidate), (reset_h, update_h, candidate_h) = of_input.chunk(3, -1), of_hidden.chunk(3, -1)
    kept = (update + update_h).sigmoid()
    new = (candidate + (reset + reset_h).sigmoid() * candidate_h).tanh()
    return (1.0 - kept) * new + kept * hidden


class OfRecurrence(Elsewhere):
    """A regularizer of every nn.LSTM and nn.GRU at the place "recurrence"; `lstm` and `gru` are its modules."""

    place = "recurrence"
    lstm: type[Unrolled]
    gru: type[Unrolled]

    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        assert isinstance(at, nn.LSTM | nn.GRU)
        if at.proj_size > 0:
            raise ValueError(
                f"{settings.regularizer} takes no nn.LSTM with a projection, got proj_size {at.proj_size}: "
                "give it proj_size 0"
            )
        kind: Any = self.lstm if isinstance(at, nn.LSTM) else self.gru
        noise = self.noise_settings(settings)
        return cast(Noisy, kind(at.input_size, at.hidden_size, device="meta", generator=generator, **noise))

    def noise_settings(self, settings: Regularization) -> dict[str, Any]:
        """The arguments of the modules beside those of torch's."""
        return {"drop_rate": settings.drop_rate}
