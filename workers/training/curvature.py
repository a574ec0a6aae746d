"""The curvature of the training loss and the noise of a step's gradient, measured beside a training."""

import torch
from torch import Tensor

from pernodedrop.hessian import Hessian, gradient_moments
from search_spaces.parameters import MEASURED
from workers.tasks.structure import Batch
from workers.training.batches import batches
from workers.training.figures import step_loss
from workers.training.meter import Meter

FIGURES = frozenset(name for name, parameter in MEASURED.items() if parameter == "curvature_every")
AT_ONCE = 128  # samples


class CurvatureMeter(Meter):
    """Measures the Hessian of the training loss in all parameters that learn, and the noise of the steps' gradient."""

    def is_due(self, epoch: int, last: int) -> bool:
        """Whether the study wants the figures after this epoch, from 1, of a training whose last one is `last`."""
        every = self.config.curvature_every
        return every > 0 and (epoch % every == 0 or epoch == last)

    def check(self) -> None:
        """Try the model on two samples.

        Raises:
            ValueError: one of its modules has no second derivative; the message names it.
        """
        with self.beside():
            self._hessian(2).gradient()

    def __call__(self, done: float, *, samples: int, vectors: int) -> dict[str, float]:
        """The figures after the step before which a share `done` of the steps was taken.

        train_hessian_trace and train_weighted_hessian, with their standard errors, as `pernodedrop.hessian.Traces`;
        train_hessian_top and _bottom with their residuals, as `pernodedrop.hessian.Extremes`: of the task's loss, the
        model in evaluation mode and in single precision, over a fixed subset of the training split, which is the same
        for every trial.
        train_gradient_noise and train_mean_gradient_square: tr Cov and |E g|^2 of the gradient g that a step takes,
        over its batch and its noise, as `pernodedrop.hessian.GradientMoments`, by as many steps as there are vectors.
        """
        with self.beside():
            generator = torch.Generator("cpu").manual_seed(int(torch.randint(1 << 62, (1,), device="cpu")))
            hessian = self._hessian(samples)
            traces, ends = hessian.traces(vectors, generator=generator), hessian.extremes(generator=generator)
            self.model.train()
            moments = gradient_moments(lambda: self.steps.gradient(*self.batch(), done), vectors)
        return {
            "train_hessian_trace": traces.trace.mean,
            "train_hessian_trace_error": traces.trace.error,
            "train_weighted_hessian": traces.weighted.mean,
            "train_weighted_hessian_error": traces.weighted.error,
            "train_hessian_top": ends.top.value,
            "train_hessian_top_residual": ends.top.residual,
            "train_hessian_bottom": ends.bottom.value,
            "train_hessian_bottom_residual": ends.bottom.residual,
            "train_gradient_noise": moments.noise,
            "train_mean_gradient_square": moments.mean_square,
        }

    def _hessian(self, samples: int) -> Hessian[Batch]:
        x, y = self.splits.train_x, self.splits.train_y
        chosen = torch.randperm(len(x), generator=torch.Generator("cpu").manual_seed(0), device="cpu")[:samples]
        return Hessian(self.model, list(batches(x, y, chosen, AT_ONCE)), self._loss)

    def _loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        return step_loss(self.task.loss(outputs, y), self.task)
