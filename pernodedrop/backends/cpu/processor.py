"""What the processor that numba compiles for has: the kernels choose by it."""

from functools import cache

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from numba.core import config


def has_avx2() -> bool:
    """Whether there are registers of eight floats, and loads that a sign masks."""
    return _has("avx2")


def has_avx512() -> bool:
    """Whether there are registers of eight words of 64 bits."""
    return _has("avx512vl")


def instructions() -> str:
    """The vector instructions that the kernels are compiled to."""
    names = {"avx512vl": "AVX-512", "avx2": "AVX2", "neon": "NEON"}
    return next((name for feature, name in names.items() if _has(feature)), "the architecture's least")


@cache
def _has(feature: str) -> bool:
    """NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may say otherwise than the processor."""
    name, features = (getattr(config, variable) for variable in ("CPU_NAME", "CPU_FEATURES"))
    if features is None and name != "generic":  # numba leaves the host's features to any other name
        return bool(llvm.get_host_cpu_features().get(feature))
    return f"+{feature}" in (features or "").split(",")
