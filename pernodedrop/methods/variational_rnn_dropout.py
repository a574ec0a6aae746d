"""Dropout with one mask a sequence, on inputs and states (Gal and Ghahramani 2016, arXiv:1512.05287)."""

from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.methods.recurrence import OfRecurrence, StepNoise, Unrolled


class OneMask(StepNoise):
    """Factors of the inputs (1, B, I) and of the states (B, H), the same at every step and for all gates."""

    def __init__(self, of_inputs: Tensor, of_states: Tensor) -> None:
        self._of_inputs, self._of_states = of_inputs, of_states

    def entering(self, x: Tensor) -> Tensor:
        return x * self._of_inputs.to(x.dtype)

    def recalled(self, hidden: Tensor) -> Tensor:
        return hidden * self._of_states.to(hidden.dtype)


class VariationalRnnDropout(Unrolled):
    """A base in front of nn.LSTM or nn.GRU: gates of (x_t * m_x) and (h_(t-1) * m_h), one mask of each for all steps.

    The masks are r / (1 - p), r ~ Bernoulli(1 - p) for each sample and feature, and for each layer and direction. All
    gates share them, as the authors' "tied weights" do. A GRU keeps its state itself, h_(t-1), unmasked. In evaluation,
    and at rate 0, torch's own code runs.
    """

    @property
    def acts(self) -> bool:
        return self.draws and self.drop_rate > 0.0

    def noise_of(self, x: Tensor, hidden: Tensor) -> StepNoise:
        def mask(*shape: int) -> Tensor:
            kept = draws.uniform(shape, self.generator, device=x.device) >= self.drop_rate
            return kept / (1.0 - self.drop_rate)

        return OneMask(mask(1, *x.shape[1:]), mask(*hidden.shape))


class VariationalLSTM(VariationalRnnDropout, nn.LSTM):
    """`nn.LSTM` with `VariationalRnnDropout`."""


class VariationalGRU(VariationalRnnDropout, nn.GRU):
    """`nn.GRU` with `VariationalRnnDropout`."""


class VariationalRnnDropoutRegularizer(OfRecurrence):
    """`VariationalRnnDropout` in every recurrence."""

    lstm, gru = VariationalLSTM, VariationalGRU
