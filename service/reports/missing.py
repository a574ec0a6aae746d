"""What an export needs beyond the plain installation."""


class MissingPackage(ImportError):
    """An export needs a package of the extra `export`, and it is not installed."""

    def __init__(self, product: str, package: str) -> None:
        super().__init__(f"{product} needs {package}, which is not installed here: pip install 'pernodedrop[export]'")
