"""The settings in the environment, read once and typed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pernodedrop.proxies import API_KEY, CONTROLLER, DEFAULT_CONTROLLER, controller_address, key_of, server_address
from pernodedrop.visible import log_format
from search_spaces.task_modules import ALL_MODULES, TaskModules
from service.ports import LOOPBACK
from service.webhooks.allowed import NOTHING, VARIABLE, Allowed

ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
CONTROLLER_PORT = 8000
DASHBOARD_PORT = 8080
AUDIT_DAYS, MOST_AUDIT_DAYS = 400, 36_500
ARTIFACTS, CHECKPOINTS = "PERNODEDROP_ARTIFACTS", "PERNODEDROP_CHECKPOINTS"


@dataclass(frozen=True)
class Settings:
    """The addresses and folders of a process of the service; an empty variable counts as unset."""

    home: Path  # PERNODEDROP_HOME: the embedded Postgres, logs, reports
    data_folder: Path  # PERNODEDROP_DATA: data sets
    artifacts: str | None = None  # PERNODEDROP_ARTIFACTS: the weights that studies keep, a folder or URL; None: nowhere
    database_url: str | None = field(default=None, repr=False)  # DATABASE_URL; None where it is not set
    api_key: str | None = field(default=None, repr=False)  # PERNODEDROP_API_KEY; None where it is not set
    url: str = DEFAULT_CONTROLLER  # PERNODEDROP_URL: the controller, for its clients
    dashboard_url: str = f"http://{LOOPBACK}:{DASHBOARD_PORT}"  # PERNODEDROP_DASHBOARD_URL: for links
    host: str = LOOPBACK  # the address this process listens on
    trusted_proxies: tuple[str, ...] = ()  # PERNODEDROP_TRUSTED_PROXIES: addresses and networks, by commas
    root_path: str = ""  # PERNODEDROP_ROOT_PATH: the path of a proxy that passes it on, such as /tools
    log_format: str = "text"  # PERNODEDROP_LOG_FORMAT: text, or json for a line of JSON a record
    access_log: bool = False  # PERNODEDROP_ACCESS_LOG: whether a server logs every call
    task_modules: TaskModules = ALL_MODULES  # PERNODEDROP_TASK_MODULES: those that own tasks may be in, by commas
    audit_days: int = AUDIT_DAYS  # PERNODEDROP_AUDIT_DAYS: so long the controller keeps who ordered what; 0: for ever
    webhook_allow: Allowed = NOTHING  # PERNODEDROP_WEBHOOK_ALLOW: networks and hosts of the inside, by commas

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, *, host: str = LOOPBACK) -> Self:
        """Read the variables named above.

        Raises:
            ValueError: a variable has an invalid value; the message is one line that names it.
        """

        def value(name: str) -> str | None:
            return environment.get(name, "").strip() or None

        home = folder_of("PERNODEDROP_HOME", value("PERNODEDROP_HOME") or _default_home(environment))
        data = value("PERNODEDROP_DATA")
        return cls(
            home=home,
            data_folder=folder_of("PERNODEDROP_DATA", data) if data else home / "data",
            artifacts=artifacts_at(ARTIFACTS, value(ARTIFACTS), home),
            database_url=value("DATABASE_URL"),
            api_key=key_of(API_KEY, value(API_KEY)),
            url=controller_address(CONTROLLER, value(CONTROLLER) or cls.url),
            dashboard_url=server_address(
                "PERNODEDROP_DASHBOARD_URL", value("PERNODEDROP_DASHBOARD_URL") or cls.dashboard_url
            ),
            host=host,
            trusted_proxies=_proxies(value("PERNODEDROP_TRUSTED_PROXIES") or ""),
            root_path=_root_path(value("PERNODEDROP_ROOT_PATH") or ""),
            log_format=log_format(environment),
            access_log=_is_on("PERNODEDROP_ACCESS_LOG", value("PERNODEDROP_ACCESS_LOG")),
            task_modules=TaskModules.from_environment(environment),
            audit_days=_days("PERNODEDROP_AUDIT_DAYS", value("PERNODEDROP_AUDIT_DAYS")),
            webhook_allow=Allowed.parse(value(VARIABLE) or ""),
        )

    def require_database(self) -> str:
        """Return `database_url` for a process that works on a database.

        Raises:
            ValueError: it is not set; the message is one line that says how to set it.
        """
        if self.database_url is None:
            raise ValueError("DATABASE_URL is not set: write postgresql://user:password@host:5432/name")
        return self.database_url


def artifacts_at(name: str, chosen: str | None, home: Path) -> str | None:
    """The place of weights that `name`, a variable or an option, is set to, by default a folder of the home; None where
    it is `none`.

    Raises:
        ValueError: it is a path that nobody can find, as `folder_of` says.
    """
    if chosen == "none":
        return None
    if chosen is None:
        return str(home / "artifacts")
    return chosen if "://" in chosen else str(folder_of(name, chosen))


def without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that has no use for the API key."""
    return {name: value for name, value in environment.items() if name != API_KEY}


def _default_home(environment: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return "/var/lib/pernodedrop"  # Postgres leaves root's account and could not reach root's home
    return f"{environment.get('XDG_DATA_HOME') or '~/.local/share'}/pernodedrop"


def folder_of(name: str, text: str) -> Path:
    """The absolute path of the folder that `name`, a variable or an option, is set to; a leading ~ is the user's home.

    Raises:
        ValueError: there is no such home, or the path is relative to a folder that is gone.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # HOME is not set and the account has no name, or ~name is nobody's
        raise ValueError(
            f"{name} cannot be {text}: no home folder is known for it, so write a path without ~"
        ) from None
    except FileNotFoundError:
        raise ValueError(
            f"{name} cannot be {text}: the folder that it is relative to, where this began, is gone"
        ) from None


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if path and not ROOT_PATH.fullmatch(path):
        raise ValueError(
            f"PERNODEDROP_ROOT_PATH must be a path such as /tools, of letters, digits, . _ ~ -, got {text!r}"
        )
    return path


def _is_on(name: str, text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise ValueError(f"{name} must be true or false, got {text!r}")
    return text == "true"


def _days(name: str, text: str | None) -> int:
    if text is None:
        return AUDIT_DAYS
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= MOST_AUDIT_DAYS):
        raise ValueError(f"{name} must be a whole number of days from 0 (for ever) to {MOST_AUDIT_DAYS}, got {text!r}")
    return int(text)


def _proxies(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        try:
            everybody = ip_network(name).prefixlen == 0
        except ValueError:
            everybody = True
        if everybody:
            raise ValueError(
                "PERNODEDROP_TRUSTED_PROXIES must list the addresses or networks of your proxies "
                f"(10.0.0.5, 172.18.0.0/16), got {name!r}"
            )
    return names
