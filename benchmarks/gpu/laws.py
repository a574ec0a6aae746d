"""Part `laws`: every backend against the contract, and the kernel in the circumstances that only a GPU brings."""

from functools import partial

import torch

from benchmarks.gpu.circumstances import circumstances
from benchmarks.gpu.contract import EVERY, FEW, Case, contracts
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting

DRAWS, FEW_DRAWS = 20_000, 100


def run(findings: Findings, setting: Setting) -> None:
    """Check everything; on a CPU the Triton kernels, by their interpreter, stand in for the CPU's own."""
    if setting.small:
        setting.take_triton_on_the_cpu()
    torch.manual_seed(20251212)
    for backend, stir_type in setting.pick(EVERY, FEW):
        case = Case(backend, stir_type, setting.device, setting.pick(DRAWS, FEW_DRAWS))
        for name, contract in contracts(case):
            findings.check(f"{case}: {name}", partial(contract, case))
    for name, check in circumstances(setting):
        findings.check(name, check)
