"""The CPU kernel's other paths: other instructions than this processor's best, as numba is told to compile for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import pytest

from pernodedrop.backends.cpu.processor import has_avx2, instructions
from tests.layers.seen_factors import digests

AVX2 = "+avx2,+fma,+bmi2"
AVX512 = f"{AVX2},+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"
PROCESSORS = {
    "AVX-512": ("icelake-server", AVX512),
    "AVX-512 in halves": ("znver4", AVX512),
    "AVX2": ("haswell", AVX2),
    "SSE": ("nehalem", ""),
}
TESTS = ("test_random_words.py", "test_normals.py", "test_draws.py", "test_kernel.py")
ROOT = Path(__file__).parents[2]


def seen(settings: dict[str, str]) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.layers.seen_factors"]
    digests: dict[str, str] = json.loads(
        subprocess.check_output(command, env=os.environ | settings, text=True, cwd=ROOT, timeout=600)
    )
    return digests


@pytest.mark.wide
@pytest.mark.parametrize("name", PROCESSORS)
def test_the_kernel_is_right_with_these_instructions(name: str, tmp_path: Path) -> None:
    if "AVX-512" in name and not llvm.get_host_cpu_features().get("avx512vl"):
        pytest.skip("this processor has no AVX-512")
    if name == instructions():
        pytest.skip("the suite itself runs with these")
    processor, features = PROCESSORS[name]
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    tests = [str(Path(__file__).parent / each) for each in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not wide", *tests]
    ran = subprocess.run(command, check=False, env=os.environ | settings, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-3000:]

    theirs, mine = seen(settings), digests()
    if name == "SSE" or not has_avx2():  # normal numbers need products and sums in one operation
        theirs.pop("normal numbers"), mine.pop("normal numbers")
    assert theirs == mine, "a seed has the same factors whatever the instructions"


@pytest.mark.wide
def test_numba_may_be_told_to_do_without_avx(tmp_path: Path) -> None:
    """By this setting or by a name such as nocona: LLVM would end the process at an operation that it may not use."""
    assert seen({"NUMBA_ENABLE_AVX": "0", "NUMBA_CACHE_DIR": str(tmp_path)})["bits"] == digests()["bits"]
