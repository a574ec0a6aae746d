"""What this machine's processor has instructions for."""

import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # x86's two, and Arm's


@cache
def has_bfloat16() -> bool:
    """Whether it multiplies numbers in bfloat16; True where it cannot be found out.

    Without such instructions every product is computed in single precision and rounded, several times slower.
    """
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "hw.optional.arm.FEAT_BF16"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() != "0"
    try:
        return named_in(Path("/proc/cpuinfo").read_text(errors="replace").splitlines())
    except OSError:
        return True


def named_in(lines: Iterable[str]) -> bool:
    """Whether such instructions are among the flags that the lines of Linux's /proc/cpuinfo name.

    True where they name no flags at all.
    """
    fields = (line.partition(":") for line in lines)
    return all(_FLAGS & set(flags.split()) for name, _, flags in fields if name.strip() in ("flags", "Features"))
