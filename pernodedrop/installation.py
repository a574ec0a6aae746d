"""Finds out what is installed: the version, and the packages that come with extras.

`pip install pernodedrop` installs what the layers need. A package that needs more calls `need` before its imports, so
that the error for a missing library is one line with its remedy.
"""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

RELEASE = "X-PerNodeDrop-Release"  # the header by which a controller says its version


class MissingPackage(ModuleNotFoundError):
    """`product` needs a package of an extra, and it is not installed."""

    def __init__(self, product: str, package: str, extra: str) -> None:
        super().__init__(
            f"{product} needs {package}, which is not installed here: pip install 'pernodedrop[{extra}]'", name=package
        )


def need(product: str, extra: str, *packages: str) -> None:
    """Check that packages of an extra, by their import names, are installed; imports none of them.

    Raises:
        MissingPackage: one is not.
    """
    for package in packages:
        try:
            found = find_spec(package)
        except ModuleNotFoundError:  # of the package around it
            found = None
        if found is None:
            raise MissingPackage(product, package, extra)


def installed_version() -> str:
    """The version as pip knows it, `0+unknown` for a checkout that was never installed."""
    try:
        return version("pernodedrop")
    except PackageNotFoundError:
        return "0+unknown"
