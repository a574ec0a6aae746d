"""What the workers' and the service's own code imports beyond torch: wheels that a borrowed machine lacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from benchmarks.gpu.findings import NotHere

_OURS = ("benchmarks", "pernodedrop", "search_spaces", "service", "workers")


@contextmanager
def wheels(*packages: str) -> Iterator[None]:
    """Import inside the block; `packages` are needed as well, though not by an import.

    Raises:
        NotHere: a package of others is missing.
    """
    try:
        for package in packages:
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in _OURS:  # a mistake of ours, which must not pass for a lack
            raise
        raise NotHere(
            f"{missing.name} must be importable and is not: fill a folder with `make gpu-wheels WHEELS=FOLDER`, and "
            "name it with --wheels FOLDER"
        ) from missing
