"""The command line: `pernodedrop`."""

from pernodedrop.installation import need

need("service.cli", "service", "typer", "rich", "httpx")

from service.cli.entry import main

__all__ = ["main"]
