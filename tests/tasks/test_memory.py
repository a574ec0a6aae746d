import platform
import subprocess
import sys

import pytest

MEGABYTES = 128
SCRIPT = f"""
import resource, torch
from workers.training.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    several = [torch.ones(2**20, dtype=torch.uint8) for _ in range({MEGABYTES})]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
print(*(faults() for _ in range(4)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's")
def test_what_one_step_frees_the_next_one_uses_without_page_faults() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120)
    *_, last = map(int, run.stdout.split())
    assert last < 256 * MEGABYTES / 4  # memory that comes from the system has a fault every 4 kB
