"""The command line: `pernodedrop`."""

from service.cli.entry import main

__all__ = ["main"]
