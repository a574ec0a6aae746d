"""What the processor that numba compiles for has: it decides how many numbers the kernels keep side by side."""

from functools import cache

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from numba.core import config


@cache
def has_avx512() -> bool:
    """Whether there are 512-bit registers and masks. NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may say otherwise."""
    name, features = (getattr(config, variable) for variable in ("CPU_NAME", "CPU_FEATURES"))
    if name is None and features is None:
        return bool(llvm.get_host_cpu_features().get("avx512vl"))
    return "+avx512vl" in (features or "")
