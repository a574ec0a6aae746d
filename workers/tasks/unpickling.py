"""Reads the pickled batches of CIFAR-10 without letting a pickle run code.

The official files come from Python 2, copies in the same format from any later Python and numpy. They need an array of
bytes, its dtype and, in files that Python 3 wrote, text encoded to bytes; nothing else is allowed.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

LARGEST = 64 * 2**20  # bytes; an official batch has 31 MB

_ARRAY = object()  # represents the type numpy.ndarray, which a pickle names but need not call


def read_pickle(path: Path) -> Any:
    """The object in the file; Python 2's text becomes bytes.

    Raises:
        pickle.UnpicklingError: the file asks for more than arrays of bytes, is too large or is not a pickle.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > LARGEST:
        raise pickle.UnpicklingError(f"more than {LARGEST} bytes")
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(file, encoding="bytes").load()
        except pickle.UnpicklingError:
            raise
        except Exception as error:  # a damaged pickle raises nearly any error
            raise pickle.UnpicklingError(f"damaged: {type(error).__name__}") from error


def _empty_array(_type: object, _shape: object, _code: object) -> np.ndarray[Any, Any]:
    return np.ndarray((0,), np.uint8)  # its real shape and bytes follow as its state


def _byte_dtype(code: str | bytes, *_flags: object) -> np.dtype[Any]:
    if code not in ("u1", b"u1"):
        raise pickle.UnpicklingError(f"holds an array of {code!r}, expected bytes (u1)")
    return np.dtype("u1", copy=True)  # a copy: its state follows too


def _latin1(text: str, encoding: str | bytes) -> bytes:
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"asks for the encoding {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _byte_dtype,
    ("_codecs", "encode"): _latin1,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"asks for {module_name}.{global_name}, which image data do not need")
        return _ALLOWED[module_name, global_name]
