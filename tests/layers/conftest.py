"""Every test of a random layer starts from the same seed; Triton, where installed without a GPU, is interpreted."""

import os
from collections.abc import Iterator

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when triton is first imported


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.manual_seed(20251212)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thread takes part in the CPU's kernels, however little there is to do."""
    from pernodedrop.backends.cpu import threads

    monkeypatch.setattr(threads, "BITS_EACH", 1)
    monkeypatch.setattr(threads, "NORMALS_EACH", 1)
