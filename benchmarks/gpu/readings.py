"""What the workers' own code reads of a device, beside torch and the driver."""

import torch

from benchmarks.gpu import driver
from benchmarks.gpu.findings import Findings, NotHere
from benchmarks.gpu.setting import Setting
from workers.trial.devices import Reading, gpus, open_device

BALLAST = 2**28  # bytes
CLOSE = 0.1  # of the memory: what the driver keeps for itself


def check(findings: Findings, setting: Setting) -> None:
    """The list of GPUs, and the readings of this process on its device."""

    def on_gpus() -> None:
        if setting.device.type != "cuda":
            raise NotHere("the device is the CPU: run the part without --cpu where there is a GPU")

    def listed() -> str:
        on_gpus()
        found = gpus()
        known = [f"GPU-{torch.cuda.get_device_properties(i).uuid}" for i in range(torch.cuda.device_count())]
        assert found == known, f"workers.trial.devices.gpus must list what torch does, {found} is not {known}"
        return ", ".join(found)

    def driven() -> None:
        on_gpus()
        of_driver, found = driver.uuids("GPU"), _bare(gpus())
        if driver.uuids("MIG"):
            raise NotHere("a GPU here is cut into slices, which have UUIDs of their own: see the next check")
        assert set(found) <= set(of_driver), f"every GPU must be one of the driver's {of_driver}, {found} were listed"

    def sliced() -> None:
        on_gpus()
        slices, found = driver.uuids("MIG"), _bare(gpus())
        if not slices:
            raise NotHere("no GPU here is cut into MIG slices: run this part on a machine where one is")
        assert set(found) <= set(slices), f"every slice must be one of the driver's {slices}, {found} were listed"

    findings.check("the list of GPUs is torch's, in its order", listed)
    findings.check("the list of GPUs is the driver's", driven)
    findings.check("MIG slices are listed by their own UUIDs", sliced)
    findings.check("a reading follows what this process holds", lambda: _reading(setting.device))
    findings.check("a reading tells how busy the device is", lambda: _use(setting.device))


def _bare(names: list[str]) -> list[str]:
    return [name.partition("-")[2] for name in names]


def _reading(device: torch.device) -> str:
    opened = open_device(device)
    opened.begin()
    before = _read(device)
    ballast = torch.ones(BALLAST, dtype=torch.uint8, device=device)
    full = _read(device)
    del ballast
    opened.begin()
    after = _read(device)
    for reading in (before, full, after):
        assert 0 < reading.free < reading.total, f"free memory must lie between 0 and all: {reading}"
        assert 0 < reading.held <= reading.peak, f"a process cannot hold more than its peak: {reading}"
    almost = BALLAST * (1 - CLOSE)
    assert full.held - before.held >= almost, f"{BALLAST} bytes more must show in what is held: {before}, then {full}"
    assert full.peak - after.peak >= almost, f"the peak must begin anew with a trial: {full}, then {after}"
    if device.type == "cuda":
        assert before.free - full.free >= almost, f"{BALLAST} bytes more must show in the free ones: {before}, {full}"
        size = torch.cuda.get_device_properties(device).total_memory
        assert abs(before.total - size) < CLOSE * size, f"all memory must be about the GPU's {size} bytes: {before}"
    return f"{before.total / 2**30:.1f} GiB in all, {before.free / 2**30:.1f} GiB of them free"


def _use(device: torch.device) -> str:
    share = _read(device).utilisation
    if share is None:
        raise NotHere("the device does not tell: for a GPU, pip install nvidia-ml-py")
    assert 0 <= share <= 1, f"the use of the device must be from 0 to 1, it is {share}"
    return f"{share:.0%}"


def _read(device: torch.device) -> Reading:
    reading = open_device(device).read()
    assert reading is not None, f"{device} must tell of its memory, it does not"
    return reading
