"""An augmentation of one's own: images that are turned and shaded a little, otherwise in every step."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks import Splits, Task


class Digits(Task):
    def load(self, device: torch.device) -> Splits:
        images, labels = load_digits(return_X_y=True)
        x = torch.tensor(images / 16, dtype=torch.float32, device=device).reshape(-1, 1, 8, 8)
        y = torch.tensor(labels, device=device)
        return Splits(x[:1000], y[:1000], x[1000:1400], y[1000:1400], x[1400:], y[1400:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Flatten())
        model.add_module("slot", nn.Linear(64, config.units))
        return model.extend([nn.ReLU(), nn.Linear(config.units, 10)])

    def augment(self, x: Tensor, generator: torch.Generator) -> Tensor:
        def drawn() -> Tensor:  # one number in [-1, 1) for each image
            return 2 * torch.rand(len(x), 1, 1, generator=generator, device=x.device) - 1

        angle = 0.2 * drawn()
        turn = torch.cat([torch.cat([angle.cos(), -angle.sin()], 2), torch.cat([angle.sin(), angle.cos()], 2)], 1)
        affine = torch.cat([turn, torch.zeros_like(turn[..., :1])], 2)  # B, 2, 3
        grid = nn.functional.affine_grid(affine, list(x.shape), align_corners=False)
        return nn.functional.grid_sample(x, grid, align_corners=False) * (1 + 0.2 * drawn().unsqueeze(-1))
