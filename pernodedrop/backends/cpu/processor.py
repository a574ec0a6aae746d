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


def has_mask_registers() -> bool:
    """Whether operations on sixteen floats take a mask, in units of that width.

    Zen 4 computes them in two halves: what masks save, their tests cost.
    """
    return has_avx512() and (_settings()[0] or llvm.get_host_cpu_name()) != "znver4"


def instructions() -> str:
    """The vector instructions that the kernels are compiled to."""
    names = {"avx512vl": "AVX-512" if has_mask_registers() else "AVX-512 in halves", "avx2": "AVX2", "neon": "NEON"}
    return next((name for feature, name in names.items() if _has(feature)), "the architecture's least")


@cache
def _has(feature: str) -> bool:
    name, features = _settings()
    if features is not None or name == "generic":  # numba leaves the host's features to any other name
        return f"+{feature}" in (features or "").split(",")
    return (_allows_avx() or not feature.startswith("avx")) and bool(llvm.get_host_cpu_features().get(feature))


def _settings() -> tuple[str | None, str | None]:
    """NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, which may say otherwise than the processor."""
    return config.CPU_NAME, config.CPU_FEATURES  # type: ignore[attr-defined]


def _allows_avx() -> bool:
    """NUMBA_ENABLE_AVX, which is 0 where the processor's name hides AVX: numba does without it then."""
    return bool(config.ENABLE_AVX)  # type: ignore[attr-defined]
