"""What this process knows and its trials must not: kept out of the environment that other processes can read."""

import json
import os
import sys

from workers.trial.family import is_secret

_HANDED = "PERNODEDROP_HANDED"  # the descriptor on which the secrets are handed over


def hide_secrets() -> None:
    """Begin the program anew, without secrets in the environment that it is started with.

    Linux shows that environment to every process of the same user, for example to a trial, as long as the process
    lives. The process stays the same, and afterwards `os.environ` has the secrets as before.
    """
    handed = os.environ.pop(_HANDED, None)
    if handed is not None:
        with os.fdopen(int(handed)) as line:
            os.environ.update(json.load(line))
        return
    secrets = {name: value for name, value in os.environ.items() if is_secret(name)}
    if not secrets or sys.platform != "linux":
        return
    handing = os.memfd_create("secrets", 0)
    os.write(handing, json.dumps(secrets).encode())
    os.lseek(handing, 0, os.SEEK_SET)
    kept = {name: value for name, value in os.environ.items() if name not in secrets}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**kept, _HANDED: str(handing)})  # noqa: S606
