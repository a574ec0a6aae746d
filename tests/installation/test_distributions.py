"""The sdist is what the wheel is built from, and neither takes along what only lies in the checkout."""

from pathlib import Path

import pytest

from tests.installation.distributions import OF_THE_ROOT, Distributions, copied, files_of, ours, wheel_of
from tests.installation.environments import SECONDS

pytestmark = [pytest.mark.wide, pytest.mark.timeout(2 * SECONDS), pytest.mark.xdist_group("distributions")]

METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


def test_the_wheel_has_the_program_and_nothing_else(distributions: Distributions) -> None:
    names = set(files_of(distributions.wheel))
    described = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    assert described == METADATA
    assert {name for name in names if ".dist-info/" not in name} == ours()


def test_the_sdist_has_what_the_wheel_is_built_from_and_nothing_else(distributions: Distributions) -> None:
    names = {name for name in distributions.in_sdist() if not name.startswith("pernodedrop.egg-info/")}
    assert names == ours() | {*OF_THE_ROOT, "PKG-INFO", "setup.cfg"}


def test_a_clean_checkout_gives_the_same_wheel(distributions: Distributions, tmp_path: Path) -> None:
    direct = wheel_of(copied(tmp_path / "checkout", {}), tmp_path / "dist")
    assert direct.name == distributions.wheel.name
    assert files_of(direct) == files_of(distributions.wheel)
