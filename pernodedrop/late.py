"""Variables of a process's environment that come later: whoever starts it does not know them yet."""

import json
import os
from collections.abc import Mapping

VARIABLE = "PERNODEDROP_LATE"  # the descriptor on which they come


def are_due() -> bool:
    """Whether variables are still to come."""
    return VARIABLE in os.environ


def await_variables() -> None:
    """Wait for the variables, if there are any to come, and set them.

    Raises:
        ValueError: none will come, because the process that knew them has gone.
    """
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return
    with os.fdopen(int(number)) as line:
        said = line.read()
    if not said:
        raise ValueError("the service that has started this process has gone: start it again")
    os.environ.update(json.loads(said))


def said(variables: Mapping[str, str]) -> bytes:
    """What to write to that descriptor, all at once, before it is closed."""
    return json.dumps(dict(variables)).encode()
