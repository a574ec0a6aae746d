"""The kernels as a compiler for GPUs sees them, which Triton's interpreter does not show."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

# Not imported here: the first import decides for the whole process whether the interpreter serves.
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton comes with torch's CUDA wheels")

# Bytes of a program, where the compiler finds no place for two of its words, which it reads once.
SPILLED = {"shared gradient_weight": 8}
MOST = {"bernoulli": 11.0, "shared": 4.5, "chain": 32.0}  # instructions a factor, at a rate of 0.1


@pytest.mark.wide
def test_kernels_compile_for_a_gpu_with_no_spills_to_speak_of() -> None:
    """In a process of its own: the interpreter, once chosen, cannot be left."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "benchmarks.gpu.listing", "--law", "bernoulli 0.1", "--law", "gaussian"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250, env=environment)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if " | " in line][2:]
    assert len(rows) == 2 + 3 + 2 * 2 * 3 + 2 * 3  # of the chains over time, both signs of the correlation
    for kernel, law, _, instructions, _, registers, spilled in rows:
        assert int(spilled) <= SPILLED.get(kernel, 0), (kernel, law)
        assert int(registers) <= 255
        if law != "gaussian":
            assert 0 < float(instructions) <= MOST[kernel.partition(" ")[0]], kernel
