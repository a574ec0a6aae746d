"""The CPU kernel's other paths: a processor without AVX-512, and one without AVX, as numba is told to compile for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROCESSORS = {"AVX2": ("haswell", "+avx2,+fma,+bmi2"), "SSE": ("nehalem", "")}
TESTS = ("test_random_words.py", "test_normals.py", "test_draws.py", "test_kernel.py")


@pytest.mark.wide
@pytest.mark.parametrize("name", PROCESSORS)
def test_the_kernel_is_right_with_these_instructions(name: str, tmp_path: Path) -> None:
    processor, features = PROCESSORS[name]
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    tests = [str(Path(__file__).parent / each) for each in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not wide", *tests]
    ran = subprocess.run(command, check=False, env=os.environ | settings, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-3000:]
