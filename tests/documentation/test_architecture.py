"""The page on the architecture names whatever a newcomer meets in our folders."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
FOLDERS = (
    *("pernodedrop", "search_spaces", "service", "workers"),
    *("service/dashboard", "service/reports", "service/storage", "service/web"),
)
NOT_CODE = {"__init__.py", "__pycache__", "py.typed"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_and_package_is_named(folder: str) -> None:
    there = [one for one in (ROOT / folder).iterdir() if one.name not in NOT_CODE]
    modules = [one.name for one in there if one.suffix == ".py"]
    packages = [f"{one.name}/" for one in there if (one / "__init__.py").is_file()]
    known = [*(f"`{name}" for name in packages), *(f"`{name}`" for name in modules)]
    unnamed = [name for name in known if name not in PAGE and name.replace(".py`", "`") not in PAGE]
    assert not unnamed, f"docs/architecture.md does not say what lies in {folder}"
