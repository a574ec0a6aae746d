"""What the functions of this package demand of their arguments."""

import math

from torch import Tensor


def check_factors(u: Tensor, v: Tensor, x: Tensor) -> None:
    """Raises ValueError where U (b, d), V (a, d) and X (a, N) do not fit together."""
    if not (u.dim() == v.dim() == x.dim() == 2 and u.shape[1] == v.shape[1] and v.shape[0] == x.shape[0]):
        found = ", ".join(str(tuple(matrix.shape)) for matrix in (u, v, x))
        raise ValueError(f"u, v and x must have shapes (b, d), (a, d) and (a, N), got {found}")


def check_data(y: Tensor, x: Tensor) -> None:
    """Raises ValueError where Y (b, N) and X (a, N) do not fit together."""
    if not (y.dim() == x.dim() == 2 and y.shape[1] == x.shape[1]):
        raise ValueError(f"y and x must have shapes (b, N) and (a, N), got {tuple(y.shape)}, {tuple(x.shape)}")


def check_block(block: int, width: int | None = None) -> None:
    """Raises ValueError where hidden units do not form whole blocks."""
    if isinstance(block, bool) or not isinstance(block, int) or block < 1:
        raise ValueError(f"block must be a whole number of at least 1, got {block!r}")
    if width is not None and width % block:
        raise ValueError(f"block must divide the {width} hidden units, got {block}: choose another width or block")


def check_number(name: str, value: float, *, above: float = -math.inf, least: float = -math.inf) -> None:
    """Raises ValueError where a number is not finite, not above `above` or below `least`."""
    if not (math.isfinite(value) and value > above and value >= least):
        bound = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
        raise ValueError(f"{name} must be finite and {bound}, got {value}")
