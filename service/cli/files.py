"""Writes files that are whole or absent."""

import tempfile
from pathlib import Path

from service.cli.exit_codes import Failure


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write the content, text as UTF-8, beside `path` and rename it; an earlier file stays until the new one is whole.

    Raises:
        Failure: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            unfinished = Path(folder) / "unfinished"
            unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
            unfinished.replace(path)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error
    return path.absolute()
