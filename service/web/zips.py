"""A zip that is sent while it is made, a piece at a time."""

import stat
import zipfile
from collections.abc import Iterable, Iterator

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


class _Sink:
    """A file that only grows, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def zipped(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of a zip of these files by name, stored as they are; it holds no more than a piece of one of them.

    Whatever reading a file raises ends the zip, which no program takes for a whole one then.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, pieces in files:
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            with archive.open(info, "w", force_zip64=True) as entry:
                for piece in pieces:
                    entry.write(piece)
                    yield sink.taken()
    yield sink.taken()
