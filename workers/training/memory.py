"""The memory of a training: its most on a GPU, and on a CPU blocks that the next step uses again."""

import ctypes
import sys
from functools import cache

import torch

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
PEAK = "train_peak_bytes"  # a metric on GPUs
MOST_KEPT = 2**30  # bytes at the end of the heap; free memory beyond them goes back to the system


@cache
def keep_freed_memory() -> None:
    """Allocate large blocks from the heap for the rest of the process, where the C library is glibc.

    Otherwise each is mapped when it is allocated and unmapped when it is freed, and its first use costs a page
    fault every 4 kB: for large activations or gradients that takes longer than the arithmetic.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, MOST_KEPT)


def reset_peak_memory(device: torch.device) -> None:
    """Start `peak_memory` again."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, float]:
    """train_peak_bytes, the most that tensors have held on a GPU since the reset; nothing elsewhere."""
    if device.type != "cuda":
        return {}
    return {PEAK: float(torch.cuda.max_memory_allocated(device))}
