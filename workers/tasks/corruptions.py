"""Images spoiled at five levels, by the corruptions and constants of CIFAR-10-C (Hendrycks and Dietterich 2019,
arXiv:1903.12261)."""

import zlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (N, C, H, W)
Shades = NDArray[np.float64]  # (N, C, H, W), 0 black, 1 white; what a corruption returns may lie outside
Corruption = Callable[[Shades, float, np.random.Generator], Shades]

LEVELS = 5
SEED = 1903
AT_ONCE = 500  # images


def corrupted(pixels: Pixels, name: str, level: int, *, white: int = 255) -> Pixels:
    """The images with the corruption of this name and level, 1 to 5; the same images give the same ones every time.

    Black is 0 and white is `white`. Shades are cut off to whole numbers of 255, as CIFAR-10-C does, and rounded to
    those of another `white`, where a cut would darken the image visibly.
    """
    corruption, constants = CORRUPTIONS[name]
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), level])
    whole = np.floor if white == 255 else np.rint
    spoiled = np.empty_like(pixels)
    for first in range(0, len(pixels), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        shades = corruption(pixels[some] / white, constants[level - 1], rng)
        spoiled[some] = whole(shades.clip(0.0, 1.0) * white)
    return spoiled


def gaussian_noise(x: Shades, deviation: float, rng: np.random.Generator) -> Shades:
    """Normal noise is added to every number."""
    return x + rng.normal(scale=deviation, size=x.shape)


def shot_noise(x: Shades, photons: float, rng: np.random.Generator) -> Shades:
    """Every number is counted in photons, of which white has so many on average (Poisson)."""
    return rng.poisson(x * photons) / photons


def impulse_noise(x: Shades, share: float, rng: np.random.Generator) -> Shades:
    """A share of all numbers becomes 0 or 1, either with probability 1/2."""
    struck, salt = rng.random(x.shape) < share, rng.random(x.shape) < 0.5
    return np.where(struck, salt, x)


def gaussian_blur(x: Shades, deviation: float, _rng: np.random.Generator) -> Shades:
    """A Gaussian filter of this deviation in pixels, cut off at 4 deviations; the edge goes on outside."""
    reach = int(4.0 * deviation + 0.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    return _on_sides(x, lambda side: _filter(side, steps, weights / weights.sum()))


def contrast(x: Shades, share: float, _rng: np.random.Generator) -> Shades:
    """Only a share of the distance from the channel's mean over the image is left."""
    mean: Shades = x.mean(axis=(2, 3), keepdims=True)
    return (x - mean) * share + mean


def pixelate(x: Shades, share: float, _rng: np.random.Generator) -> Shades:
    """Shrunk to a share of the side by box averages, then enlarged again, in whole shades of 255 after every pass."""
    whole = np.rint(x * 255)
    small = _on_sides(whole, lambda side: _boxes(side, int(side * share)), _half_up)
    height = x.shape[2]
    return _on_sides(small, lambda side: _boxes(side, height), _half_up) / 255


CORRUPTIONS: Mapping[str, tuple[Corruption, tuple[float, float, float, float, float]]] = {
    "gaussian_noise": (gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
    "shot_noise": (shot_noise, (500, 250, 100, 75, 50)),
    "impulse_noise": (impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07)),
    "gaussian_blur": (gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),
    "contrast": (contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
    "pixelate": (pixelate, (0.95, 0.9, 0.85, 0.75, 0.65)),
}


def _on_sides(
    x: Shades, matrix: Callable[[int], NDArray[np.float64]], after: Callable[[Shades], Shades] = lambda x: x
) -> Shades:
    """A linear map of every row and then of every column, by its matrix (new, old) for an old length."""
    across = after(x @ matrix(x.shape[3]).T)
    return after(matrix(x.shape[2]) @ across)


def _half_up(x: Shades) -> Shades:
    return np.floor(x + (0.5 + 1e-9))  # a half that rounding has made smaller is a half


def _filter(side: int, steps: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.zeros((side, side))
    for step, weight in zip(steps, weights, strict=True):
        places = np.arange(side)
        found[places, (places + step).clip(0, side - 1)] += weight
    return found


def _boxes(old: int, new: int) -> NDArray[np.float64]:
    """The mean (new, old) of the pixels whose centres lie in each new one, or the nearest where the new are smaller."""
    width = max(old / new, 1.0)
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    away = (np.arange(old) + 0.5 - centres) / width
    inside = (away > -0.5) & (away <= 0.5)
    found: NDArray[np.float64] = inside / inside.sum(axis=1, keepdims=True)
    return found
