import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from workers.tasks.unpickling import LARGEST, read_pickle

# What Python 2 and numpy 1 wrote: {"data": array([[0, 1, 2]], uint8), "labels": [3]} by protocol 2.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
    b"U\x01b\x87Rq\x05(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff"
    b"\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03\x00\x01\x02tbU\x06labelsq\x08]q\tK\x03au."
)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "batch"
    path.write_bytes(content)
    return path


def test_reads_what_python_2_wrote(tmp_path: Path) -> None:
    content = read_pickle(stored(tmp_path, PYTHON_2))
    assert content[b"labels"] == [3]
    assert content[b"data"].dtype == np.uint8
    assert content[b"data"].tolist() == [[0, 1, 2]]


def test_reads_what_this_numpy_writes(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = read_pickle(stored(tmp_path, pickle.dumps({b"data": data, b"name": b"\xff"}, protocol=2)))
    assert np.array_equal(content[b"data"], data)
    assert content[b"name"] == b"\xff"


def test_runs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    with pytest.raises(pickle.UnpicklingError, match=r"asks for posix\.mkdir, which image data do not need"):
        read_pickle(stored(tmp_path, pickle.dumps(Bomb(trap), protocol=2)))
    assert not trap.exists()


def test_codecs_other_than_latin1_are_refused(tmp_path: Path) -> None:
    call = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R."
    with pytest.raises(pickle.UnpicklingError, match="asks for the encoding 'hex'"):
        read_pickle(stored(tmp_path, call))


def test_arrays_of_anything_but_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="expected bytes"):
        read_pickle(stored(tmp_path, pickle.dumps(np.array([object()]), protocol=2)))


def test_a_pickle_cannot_claim_memory_it_does_not_bring(tmp_path: Path) -> None:
    call = b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85R."  # numpy.ndarray((2147483647,))
    with pytest.raises(pickle.UnpicklingError, match="damaged"):
        read_pickle(stored(tmp_path, call))


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", PYTHON_2[:-20], b"no pickle", PYTHON_2.replace(b"K\x03\x86", b"K\x04\x86")]
)
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read_pickle(stored(tmp_path, content))


def test_a_file_too_large_to_be_a_batch_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(pickle.UnpicklingError, match=f"more than {LARGEST} bytes"):
        read_pickle(path)
