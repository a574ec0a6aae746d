"""What devices and machines tell, and how one knows that memory ran out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from workers.trial import machine
from workers.trial.devices import Cpu, gpus, open_device
from workers.trial.out_of_memory import is_out_of_memory

MEMINFO = "MemTotal:       8000 kB\nMemFree:        1000 kB\nMemAvailable:   6000 kB\nHugePages_Total:       0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's files, with nothing that limits this process."""
    write(tmp_path, "proc/meminfo", MEMINFO)
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_machine_without_limits_has_what_it_has(root: Path) -> None:
    assert machine.memory(root) == (8000 * 1024, 6000 * 1024)


def test_elsewhere_nobody_tells(tmp_path: Path) -> None:
    assert machine.memory(tmp_path) is None
    assert machine.kills_for_memory(tmp_path) is None


def test_a_container_has_its_limit_and_the_page_cache_is_free(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/memory.max", "1000000\n")
    write(root, "sys/fs/cgroup/memory.current", "900000\n")
    write(root, "sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 300000\n")
    assert machine.memory(root) == (1_000_000, 400_000)


def test_the_tightest_of_nested_groups_counts(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/outer/inner\n")
    for group, limit in (("outer", "2000000"), ("outer/inner", "max")):
        write(root, f"sys/fs/cgroup/{group}/memory.max", f"{limit}\n")
        write(root, f"sys/fs/cgroup/{group}/memory.current", "500000\n")
    assert machine.memory(root) == (2_000_000, 1_500_000)


def test_the_first_version_of_control_groups_is_read(root: Path) -> None:
    write(root, "proc/self/cgroup", "8:pids:/x\n4:memory:/somewhere/on/the/host\n1:cpu,cpuacct:/\n0::/\n")
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n")
    write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n")
    assert machine.memory(root) == (3_000_000, 2_000_000)
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")  # none
    assert machine.memory(root) == (8000 * 1024, 6000 * 1024)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None)])
def test_a_share_of_the_cores_is_a_limit(root: Path, quota: str, cores: int | None) -> None:
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/cpu.max", f"{quota}\n")
    assert machine.cores(root) == cores or len(os.sched_getaffinity(0))


def test_kills_for_memory_are_counted(root: Path) -> None:
    write(root, "proc/vmstat", "pgfault 12\noom_kill 3\n")
    assert machine.kills_for_memory(root) == 3


def test_a_process_sees_its_own_peak_since_the_trial_began() -> None:
    script = """
from workers.trial.devices import Cpu
cpu = Cpu()
before = cpu.read()
ballast = bytearray(200_000_000)
full = cpu.read()
del ballast
cpu.begin()
after = cpu.read()
assert full.held - before.held > 190_000_000, (before, full)
assert full.peak >= full.held
assert after.peak < full.peak - 190_000_000, (full, after)
assert 0 < full.free <= full.total
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_the_cpu_is_no_gpu() -> None:
    assert isinstance(open_device(torch.device("cpu")), Cpu)


def test_the_drivers_gpus_are_torchs() -> None:
    if torch.version.cuda is None:
        assert all(name.startswith("GPU-") for name in gpus())
        return
    uuids = [f"GPU-{torch.cuda.get_device_properties(i).uuid}" for i in range(torch.cuda.device_count())]
    assert gpus() == uuids


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_gpu_tells_its_memory() -> None:
    device = open_device(torch.device("cuda:0"))
    device.begin()
    ballast = torch.zeros(2**28, dtype=torch.uint8, device="cuda:0")
    reading = device.read()
    assert reading is not None
    assert reading.peak >= reading.held >= ballast.nbytes
    assert 0 < reading.free < reading.total


def test_an_allocation_that_the_cpu_refuses_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as refusal:
        torch.empty(2**55)
    assert is_out_of_memory(refusal.value)


@pytest.mark.parametrize(
    ("error", "out_of_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_that_mean_it_are_told_from_others(error: Exception, out_of_memory: bool) -> None:
    assert is_out_of_memory(error) is out_of_memory
