"""The counts of the kernels: one program stands for all, and the counts are those of the kernels' own arithmetic."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

# Not imported here: the first import decides for the whole process whether the interpreter serves.
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton comes with torch's CUDA wheels")

COUNTED = """
import json
from dataclasses import asdict
from benchmarks.gpu.counts import Sizes, of_kernels
from pernodedrop.backends.factors import Factors

sizes = Sizes(32, 256, 64)  # multiples of every tile
found = {}
for name, factors in (("half", Factors(1, 1)), ("fourteen", Factors(11469, 14))):
    for every in (False, True):
        step = of_kernels(sizes, factors, every=every)
        found[f"{name} {every}"] = [asdict(step.output), asdict(step.gradients)]
print(json.dumps(found))
"""


@pytest.mark.wide
def test_one_program_stands_for_all_and_words_are_those_that_the_law_needs() -> None:
    """In a process of its own: the interpreter, once chosen, cannot be left."""
    command = [sys.executable, "-c", COUNTED]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280, env=environment)
    found = json.loads(done.stdout)
    factors = 32 * 256 * 64
    for mine, its in zip(found["half False"], found["half True"], strict=True):
        assert mine == pytest.approx(its)
    for output, gradients in found["half True"], found["fourteen True"]:
        assert output["stored"] >= 4 * 32 * 64 and gradients["stored"] >= 4 * (32 + 64) * 256
        assert output["loaded"] >= 4 * (32 + 64) * 256 and gradients["floating"] >= 4 * factors
    for one_digit, ten in zip(found["half True"], found["fourteen True"], strict=True):
        assert one_digit["words"] == pytest.approx(factors / 32)  # a digit of 32 decisions each
        # eight digits, two calls for ties, and seldom one or two more
        assert 9.99 <= ten["words"] * 32 / factors <= 11.5
    one, all_of_them = found["fourteen False"], found["fourteen True"]
    for mine, its in zip(one, all_of_them, strict=True):
        assert mine["loaded"] == its["loaded"] and mine["stored"] == its["stored"]
        assert abs(mine["words"] / its["words"] - 1) < 0.15  # ties differ from tile to tile
