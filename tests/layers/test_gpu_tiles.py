"""The choice of the tiles: by a rule, or by a file of a chip."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed: it comes with torch's CUDA wheels")

from pernodedrop.backends.gpu.tiles import FILE, PASSES, Tile, by_rule, key_of, tile_of, write

CPU = torch.device("cpu")
SIZES = (128, 1024, 256)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("samples", [1, 8, 9, 5000])
@pytest.mark.parametrize("units", [1, 10, 64, 65, 5000])
def test_the_rule_fills_the_threads_and_is_no_wider_than_it_must_be(name: str, samples: int, units: int) -> None:
    tile = by_rule(name, samples, units)
    assert tile.samples * tile.units == 4 * 32 * tile.warps  # a call of Philox, for four units, each thread
    assert tile.units <= max(16, 2 * units)


def test_a_file_decides_for_its_chip_and_sizes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiles.json"
    write(path, "cpu", {key_of("product", *SIZES): Tile(4, 32, warps=2)})
    write(path, "another chip", {key_of("gradients", *SIZES): Tile(4, 32, warps=2)})
    monkeypatch.setenv(FILE, str(path))
    assert tile_of("product", *SIZES, CPU) == Tile(4, 32, warps=2)
    assert tile_of("product", 129, *SIZES[1:], CPU) == by_rule("product", 129, SIZES[2])
    assert tile_of("gradients", *SIZES, CPU) == by_rule("gradients", SIZES[0], SIZES[2])
    monkeypatch.delenv(FILE)
    assert tile_of("product", *SIZES, CPU) == by_rule("product", SIZES[0], SIZES[2])


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"cpu": {"product 1x1x1": [3, 8, 4]}}', '{"cpu": {"a": [8, 2, 4]}}', None]
)
def test_a_file_that_is_none_is_refused_in_one_line(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiles.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(FILE, str(path))
    with pytest.raises(ValueError, match=rf"^{FILE} must name a file of tiles, .*make gpu-check") as refused:
        tile_of("product", *SIZES, CPU)
    assert "\n" not in str(refused.value)
