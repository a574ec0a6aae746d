"""The command `pernodedrop`. It is part of the layers, so that it can name the extra that a service or worker needs."""

# ruff: noqa: E402
import gc
import os
import sys
from typing import NoReturn

from pernodedrop.begin import command, keep_apart

keep_apart()  # before anything else is imported

from pernodedrop import door


def main() -> int:
    """Run the command line of this process; returns the exit code, 1 where a package is missing."""
    door.open_door()  # before anything else is imported
    from pernodedrop.installation import MissingPackage
    from pernodedrop.visible import escape_the_rest

    escape_the_rest()
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["worker"]:  # needs nothing of the service's
            _become("workers", arguments[1:])
        if arguments[:1] == ["reproduce"]:
            _become("workers.reproduction", arguments[1:])
        from service.cli.entry import main as run

        code = door.through(lambda: run(arguments))
        gc.freeze()  # or Python looks for garbage at its end, which takes longer than some commands
        return code
    except MissingPackage as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _become(module: str, arguments: list[str]) -> NoReturn:
    import workers  # noqa: F401 (says what is missing)

    door.hold_signals()
    os.execv(sys.executable, command(module, *arguments))  # noqa: S606
