"""A kernel whose cache is full, damaged or gone is compiled and computes; only the next process compiles it again."""

import importlib.util
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pernodedrop.backends import base
from pernodedrop.backends.cpu import caching
from pernodedrop.backends.cpu.caching import compiled

SOURCE = "def doubled(x):\n    return x + x\n"


def kernel_of(folder: Path) -> Any:
    """A kernel of a module of its own, as a new process has it."""
    path = folder / "small.py"
    if not path.exists():  # the cache is of this file as it is
        path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("small", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # numba imports it where it has forgotten the first kernel
    spec.loader.exec_module(module)
    return compiled(module.doubled)


def kept(folder: Path, suffix: str) -> list[Path]:
    return sorted((folder / "__pycache__").glob(f"*.{suffix}"))


def empty(folder: Path, suffix: str) -> None:
    for path in kept(folder, suffix):
        path.write_bytes(b"")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_WARNED", set())
    monkeypatch.setitem(sys.modules, "small", None)  # it goes again at the end


def test_a_cache_that_fills_after_the_first_kernel_costs_no_result(tmp_path: Path) -> None:
    kernel = kernel_of(tmp_path)
    assert kernel(1) == 2
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))  # no file takes a byte more
        try:
            found = kernel(1.5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    assert found == 3.0
    [warning] = said
    assert "numba cannot keep compiled kernels in" in str(warning.message)
    assert "NUMBA_CACHE_DIR names another folder" in str(warning.message)
    assert kernel_of(tmp_path)(1.5) == 3.0


@pytest.mark.parametrize("damage", [lambda folder: empty(folder, "nbi"), lambda folder: empty(folder, "nbc")])
def test_a_damaged_cache_is_written_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    assert kernel_of(tmp_path)(1) == 2
    assert len(kept(tmp_path, "nbi")) == len(kept(tmp_path, "nbc")) == 1
    damage(tmp_path)
    assert kernel_of(tmp_path)(1) == 2
    again = kernel_of(tmp_path)
    assert (again(1), sum(again.stats.cache_hits.values())) == (2, 1)


def test_a_kernel_is_compiled_anew_when_another_file_of_its_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the other file's code within it, which may lay out memory in another way by now."""
    assert kernel_of(tmp_path)(2) == 4
    again = kernel_of(tmp_path)
    assert (again(3), sum(again.stats.cache_hits.values())) == (6, 1)
    monkeypatch.setattr(caching, "_folder_stamp", lambda: (("tiles.py", 0.0, 1),))
    changed = kernel_of(tmp_path)
    assert (changed(4), sum(changed.stats.cache_hits.values())) == (8, 0)
