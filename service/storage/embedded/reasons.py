"""Why a Postgres program failed, out of all that it said: its last line is often a harmless one."""

import re
from pathlib import Path

from service.storage.embedded.data import restore

_SIGNS = ("PANIC:", "FATAL:", "error:", "could not", "cannot")  # the first line with the first of them tells most
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] ")
_DAMAGE = re.compile(
    r"checkpoint record|control file|pg_control|required WAL|write-ahead log|not a valid data directory|"
    r"could not (open|read|access) (file|directory)|invalid (page|data|magic)|database files are incompatible"
)


def reason_in(text: str) -> str:
    """Return the line that says why; empty if there is none.

    Of a server's log it is the first fatal one, without its time.
    """
    lines = [_STAMP.sub("", line).strip() for line in text.splitlines() if line.strip()]
    for sign in _SIGNS:
        found = next((line for line in lines if sign in line), None)
        if found is not None:
            return found
    return lines[-1] if lines else ""


def remedy(reason: str, data: Path, log: Path) -> str:
    """Return what to do about it, in words."""
    if _DAMAGE.search(reason):
        return f"{restore(data)}; see {log}"
    if "configuration file" in reason or "could not load" in reason:
        return f"mend that file, or empty it to have the defaults; see {log}"
    if "wrong ownership" in reason or "Permission denied" in reason:
        return f"give {data} and all in it to the owner of {data.parent} (chown -R); see {log}"
    return f"see {log}"
