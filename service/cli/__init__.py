"""The command line: `pernodedrop`."""

from collections.abc import Sequence

from pernodedrop.installation import need

need("service.cli", "service", "typer", "rich", "httpx")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, by default this process's; returns the exit code."""
    from service.cli.entry import main as run  # takes a second to import

    return run(arguments)


__all__ = ["main"]
