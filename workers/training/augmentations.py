"""The augmentations of a training batch's inputs, on the device. To add one, write a function and list it."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Augmentation = Callable[[Tensor], Tensor]

PADDING = 8  # a crop is shifted by at most an eighth of the image's side: 4 pixels of 32, as He et al. 2016 have it


def flip_crop(x: Tensor) -> Tensor:
    """Images (B, C, H, W), each mirrored with probability 1/2, then shifted by at most an eighth of each side.

    The new border is 0, the mean of standardized images. Draws from torch's generator of the images' device.
    """
    samples, _, height, width = x.shape
    up, left = height // PADDING, width // PADDING
    mirrored = torch.rand(samples, 1, 1, 1, device=x.device) < 0.5
    x = torch.where(mirrored, x.flip(3), x)
    padded = torch.nn.functional.pad(x, (left, left, up, up))
    rows = torch.randint(2 * up + 1, (samples, 1), device=x.device) + torch.arange(height, device=x.device)
    columns = torch.randint(2 * left + 1, (samples, 1), device=x.device) + torch.arange(width, device=x.device)
    sample = torch.arange(samples, device=x.device)[:, None, None]
    shifted = padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]]  # B, H, W, C
    return shifted.permute(0, 3, 1, 2)  # channels_last, as the built-in tasks' images are


AUGMENTATIONS: Mapping[str, Augmentation] = {"flip_crop": flip_crop}
