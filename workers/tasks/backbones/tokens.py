"""Images and spectrograms as sequences: `length` tokens of `features` numbers."""

from torch import Tensor, nn

PATCH = 4  # pixels a side


class Tokens(nn.Module):
    """Images (B, C, H, W) to tokens (B, T, F), without weights."""

    length: int  # T
    features: int  # F


class Rows(Tokens):
    """An image from top to bottom: T = H."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, self.length, width = shape
        self.features = channels * width

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class Frames(Tokens):
    """A spectrogram from left to right, each frame with all its bands: T = W."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, bands, self.length = shape
        self.features = channels * bands

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1, 2).transpose(1, 2)


class Patches(Tokens):
    """An image in squares of 4 x 4 pixels, line by line; rest pixels at the right and the bottom are dropped."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = shape
        self.length = (height // PATCH) * (width // PATCH)
        self.features = channels * PATCH**2

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.unfold(x, PATCH, stride=PATCH).transpose(1, 2)
