import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from workers.tasks.corruptions import AT_ONCE, CORRUPTIONS, corrupted, gaussian_blur

RANDOM = np.random.default_rng(0)
PHOTOGRAPHS = RANDOM.integers(0, 256, (6, 3, 32, 32)).astype(np.uint8)
GREY = np.full((40, 3, 32, 32), 128, np.uint8)


def constants(name: str) -> tuple[float, ...]:
    return CORRUPTIONS[name][1]


@pytest.mark.parametrize("level", range(1, 6))
def test_pixels_are_those_of_the_authors_library(level: int) -> None:
    small = int(32 * constants("pixelate")[level - 1])

    def resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shrunk = Image.fromarray(image.transpose(1, 2, 0)).resize((small, small), Image.Resampling.BOX)
        return np.asarray(shrunk.resize((32, 32), Image.Resampling.BOX)).transpose(2, 0, 1)

    assert np.array_equal(corrupted(PHOTOGRAPHS, "pixelate", level), np.stack([resized(each) for each in PHOTOGRAPHS]))


def test_a_blur_is_scipys_gaussian_filter() -> None:
    for level, deviation in enumerate(constants("gaussian_blur"), start=1):
        expected = gaussian_filter(PHOTOGRAPHS / 255, (0, 0, deviation, deviation), mode="nearest", truncate=4.0)
        np.testing.assert_allclose(gaussian_blur(PHOTOGRAPHS / 255, deviation, RANDOM), expected, atol=1e-12)
        assert np.abs(corrupted(PHOTOGRAPHS, "gaussian_blur", level) - np.floor(expected * 255)).max() <= 1


def test_contrast_keeps_a_share_of_the_distance_from_the_mean() -> None:
    mean = PHOTOGRAPHS.mean(axis=(2, 3), keepdims=True)
    expected = np.floor((PHOTOGRAPHS - mean) * 0.15 + mean)
    assert (corrupted(PHOTOGRAPHS, "contrast", 5) == expected).mean() > 0.999


@pytest.mark.parametrize("level", [1, 5])
def test_noises_have_their_laws(level: int) -> None:
    count, grey = GREY.size, 128 / 255
    for name, deviation in (
        ("gaussian_noise", constants("gaussian_noise")[level - 1]),
        ("shot_noise", (grey / constants("shot_noise")[level - 1]) ** 0.5),
    ):
        found = corrupted(GREY, name, level) / 255
        rounding = 0.5 / 255  # cut off to whole shades
        assert found.mean() == pytest.approx(grey - rounding, abs=5 * deviation / count**0.5 + 0.1 / 255)
        assert found.std() == pytest.approx(deviation, rel=0.02)
    found, share = corrupted(GREY, "impulse_noise", level), constants("impulse_noise")[level - 1]
    for shade in (0, 255):
        assert (found == shade).mean() == pytest.approx(share / 2, abs=5 * (share / 2 / count) ** 0.5)
    assert set(np.unique(found)) == {0, 128, 255}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_images_are_spoiled_in_the_same_way_and_more_at_the_last_level(name: str) -> None:
    smooth = np.linspace(40, 210, 32).astype(np.uint8)
    images = np.broadcast_to(smooth ^ (np.arange(32)[:, None] & 7).astype(np.uint8), (8, 3, 32, 32)).copy()
    found = [corrupted(images, name, level).astype(float) for level in range(1, 6)]
    distances = [np.abs(each - images).mean() for each in found]
    assert 0 < distances[0] < distances[4]
    assert name == "pixelate" or distances == sorted(distances)  # its boxes hit or miss an edge
    assert np.array_equal(corrupted(images, name, 3), found[2])


def test_many_images_are_taken_in_parts_and_every_one_has_its_own_noise() -> None:
    black = np.zeros((AT_ONCE + 3, 1, 2, 8), np.uint8)
    found = corrupted(black, "gaussian_noise", 5, white=16)
    assert found.shape == black.shape
    assert len(np.unique(found.reshape(len(found), -1), axis=0)) > AT_ONCE / 2
    assert found.mean() == pytest.approx(1.6 * (2 * np.pi) ** -0.5, rel=0.05)  # of 16 shades: rounded, not cut off
