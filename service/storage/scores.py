"""The layout of an examination's scores as bytes, for the database and the trial's line.

The bytes are `MAGIC` and a zlib stream of two parts. The first is one line of JSON, the shape of every array by its
name, for example {"confidence": [360], "log_probabilities": [360, 10]}. The second is the arrays in that order, row by
row, as little-endian float32. They are read as numbers and nothing else, and never more than `MOST_NUMBERS`.
"""

import json
import re
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[str, NDArray[np.float32]]

MAGIC = b"scores 1\n"
MOST_NUMBERS = 2**20  # in all arrays of one examination
MOST_ARRAYS = 16
_LONGEST_LINE = 2**12  # bytes
_NAME = re.compile(r"[a-z][a-z_]{0,31}")
_FLOAT = np.dtype("<f4")


def packed(scores: Scores) -> bytes:
    """The arrays, each of one or two dimensions, as bytes.

    Raises:
        ValueError: `unpacked` would refuse the names, the shapes or the size.
    """
    arrays = {name: np.ascontiguousarray(array, _FLOAT) for name, array in scores.items()}
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    _check(shapes)
    line = json.dumps(shapes).encode() + b"\n"
    return MAGIC + zlib.compress(line + b"".join(array.tobytes() for array in arrays.values()))


def unpacked(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The arrays in the bytes, which nobody has checked before.

    Raises:
        ValueError: the bytes have another layout, are damaged, or hold more than `MOST_NUMBERS`.
    """
    if not data.startswith(MAGIC):
        raise ValueError("these bytes are no scores")
    most = _LONGEST_LINE + MOST_NUMBERS * _FLOAT.itemsize
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(memoryview(data)[len(MAGIC) :], most)
    except zlib.error as error:
        raise ValueError(f"the scores are damaged: {error}") from error
    if not stream.eof or stream.unused_data:
        raise ValueError("the scores are incomplete, or too many")
    line, _, numbers = content.partition(b"\n")
    if len(line) > _LONGEST_LINE:
        raise ValueError("the scores begin with no line of shapes")
    try:
        shapes = _check(json.loads(line))
    except RecursionError as error:
        raise ValueError("the scores begin with no line of shapes") from error
    sizes = [prod(shape) for shape in shapes.values()]
    if len(numbers) != sum(sizes) * _FLOAT.itemsize:
        raise ValueError(f"the scores have {len(numbers)} bytes, their shapes need {sum(sizes) * _FLOAT.itemsize}")
    every = np.frombuffer(numbers, _FLOAT).astype(np.float32)
    parts = np.split(every, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _check(shapes: Any) -> dict[str, list[int]]:
    if not isinstance(shapes, dict) or not 1 <= len(shapes) <= MOST_ARRAYS:
        raise ValueError(f"scores must be 1 to {MOST_ARRAYS} arrays by name")
    for name, shape in shapes.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"scores must have names of a-z and _, got {name[:40]!r}")
        if not isinstance(shape, list) or len(shape) not in (1, 2) or not all(_is_size(size) for size in shape):
            raise ValueError(f"scores {name} must have one or two dimensions")
    if sum(prod(shape) for shape in shapes.values()) > MOST_NUMBERS:
        raise ValueError(f"scores must be at most {MOST_NUMBERS} numbers")
    return shapes


def _is_size(size: Any) -> bool:
    return type(size) is int and 1 <= size <= MOST_NUMBERS
