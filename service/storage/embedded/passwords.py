"""The passwords of the server's two roles, each in a file for the server's account alone."""

import re
import secrets
from pathlib import Path

from service.storage.embedded.account import Account
from service.storage.embedded.roles import NAME, OWNER

_WHOLE = re.compile(r"[0-9a-f]{48}")

# Each is one line, as a server without clients reads it. An earlier release's server has no owner yet.
_SET = """\
DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}') THEN ALTER ROLE {0} PASSWORD '{1}'; END IF; END $$;
"""


class Passwords:
    """The files in `folder`; a loss of power may leave them without a password."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "password"
        self.owner_file = folder / "owner-password"

    @property
    def ours(self) -> str:
        """Our role's password; empty if its file holds none."""
        return _read(self.file)

    @property
    def owner(self) -> str:
        """The superuser's password; empty if its file holds none."""
        return _read(self.owner_file)

    @property
    def lost(self) -> list[Path]:
        """The files that hold none."""
        return [file for file in (self.file, self.owner_file) if not _read(file)]

    def renew(self, account: Account) -> None:
        """Write new ones into the files that hold none."""
        for file in self.lost:
            account.write(file, secrets.token_hex(24))

    def forget(self) -> None:
        """Remove both, which are of no data."""
        for file in (self.file, self.owner_file):
            file.unlink(missing_ok=True)

    @property
    def statements(self) -> str:
        """What gives both roles the passwords of the files."""
        return "".join(_SET.format(role, password) for role, password in ((NAME, self.ours), (OWNER, self.owner)))


def _read(file: Path) -> str:
    try:
        text = file.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    return text if _WHOLE.fullmatch(text) else ""
