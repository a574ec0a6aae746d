"""What must be importable, told in one line where it is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from benchmarks.gpu.findings import NotHere

_OURS = ("benchmarks", "pernodedrop", "search_spaces", "service", "workers")


def installed(*packages: str) -> None:
    """Raises NotHere where one of them cannot be imported; none is."""
    for package in packages:
        if find_spec(package) is None:
            raise NotHere(f"{package} must be importable and is not: run the check by a Python that has it")


@contextmanager
def wheels(*packages: str) -> Iterator[None]:
    """Import the workers' and the service's own code inside the block; `packages` are needed too, by no import.

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
