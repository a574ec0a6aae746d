"""Dense layers whose input is regularized, and the layer by which a model asks for shared noise."""

import torch
from torch import Tensor, nn

from pernodedrop.layers.masksembles import Masksembles
from pernodedrop.layers.noisy import Unscriptable, leaf
from pernodedrop.layers.regularizing import Regularizing, must_be_called, watched


class InputRegularizedLinear(Unscriptable, Regularizing, nn.Linear):
    """`nn.Linear` of `regularizer(x)`: what `regularize` makes of a dense layer."""

    acts_on_input = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        regularizer: nn.Module,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.regularizer = regularizer
        must_be_called(self)

    @property
    def is_active(self) -> bool:
        return any(module.training or isinstance(module, Masksembles) for module in self.modules())

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return super().forward(self.regularizer(input))

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        return nn.functional.linear(self.regularizer(input), weight, bias)


class SharedNoiseLinear(nn.Linear):
    """`nn.Linear` over the positions of a sequence (B, T, I), in front of a recurrence.

    Any regularizer that is put into it draws its noise once a sample, for all positions: fresh noise at every step
    would drown what the state remembers (Gal and Ghahramani 2016, arXiv:1512.05287). PerNodeDrop's masks may change
    slowly, where a study sets `time_correlation`.
    """


class SharedOverPositions(nn.Module):
    """A regularizer of features that multiplies every position of a sample by the same factors.

    Input (B, T, F), or (T, B, F) with `batch_dim` 1.
    """

    batch_dim: int = 0  # of a module that an earlier release has pickled

    def __init__(self, regularizer: nn.Module, batch_dim: int = 0) -> None:
        super().__init__()
        self.regularizer = regularizer
        self.batch_dim = batch_dim

    def forward(self, x: Tensor) -> Tensor:
        one = x[:, :1] if self.batch_dim == 0 else x[:1]
        factors: Tensor = self.regularizer(torch.ones_like(one))
        return x * factors
