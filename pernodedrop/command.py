"""The command `pernodedrop`. It is part of the layers, so that it can name the extra that a service or worker needs."""

# ruff: noqa: E402
import os
import sys

from pernodedrop.begin import command, keep_apart

keep_apart()  # before anything else is imported

from pernodedrop.installation import MissingPackage
from pernodedrop.visible import escape_the_rest


def main() -> int:
    """Run the command line of this process; returns the exit code, 1 where a package is missing."""
    escape_the_rest()
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["worker"]:  # needs nothing of the service's
            import workers

            os.execv(sys.executable, command("workers", *arguments[1:]))  # noqa: S606
        if arguments[:1] == ["reproduce"]:
            import workers  # noqa: F401

            os.execv(sys.executable, command("workers.reproduction", *arguments[1:]))  # noqa: S606
        from service.cli import main as run

        return run(arguments)
    except MissingPackage as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
