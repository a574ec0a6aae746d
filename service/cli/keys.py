"""`keys create|list|revoke|rotate`: in the database of DATABASE_URL, or as an admin over REST."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Protocol

import typer
from pydantic import ValidationError
from rich.table import Table

from service.api.models.access import KeyIn, KeyMade, KeyOut, Keys
from service.cli.exit_codes import ExitCode, Failure
from service.cli.lasting import lasting_s
from service.cli.meant import NearGroup
from service.cli.output import AsJson, echo, print_json, show_table
from service.cli.session import answer, client_here, console_here, say, settings_here
from service.storage.access.bounds import BY_DATABASE, LONGEST_GRACE, LONGEST_KEY
from service.storage.access.roles import Role
from service.storage.access.secret import KEY
from service.times import day, to_minute

HELP = """
Make and end the keys of callers, each with a name and a role.

Where DATABASE_URL is set, they are made there, which takes no key: so is the first one. Elsewhere the controller at
PERNODEDROP_URL makes them, for an admin's key in PERNODEDROP_API_KEY. Once there is a key, servers ask for one.
"""
ANY, NONE = "*", "-"

commands = typer.Typer(cls=NearGroup, help=HELP, no_args_is_help=True, rich_markup_mode="rich")

KeyName = Annotated[str, typer.Argument(help="The key's name, such as alice or ci@lab.example.")]


class Makes(Protocol):
    """What makes and ends keys."""

    @property
    def last_changed(self) -> bool: ...
    def create_key(self, wanted: KeyIn) -> KeyMade: ...
    def keys(self) -> list[KeyOut]: ...
    def revoke_key(self, name: str) -> KeyOut: ...
    def rotate_key(self, name: str, grace_s: float) -> KeyMade: ...


@commands.command()
def create(
    name: KeyName,
    role: Annotated[Role, typer.Option(help="What its holder may do: read; submit, and change studies; or admin.")],
    until: Annotated[
        str | None, typer.Option(help="It ends after a time such as 90d, or at a date; by default never.")
    ] = None,
    task_modules: Annotated[
        str,
        typer.Option(
            help="A submit key may use own tasks in these modules, by commas, besides built-in tasks: - is none, '*' "
            "any that the servers allow."
        ),
    ] = NONE,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It cannot be shown again: the database keeps its digest.

    Example:

      pernodedrop keys create alice --role submit --until 90d
    """
    wanted = _wanted(name, role, None if until is None else lasting_s("--until", until, LONGEST_KEY), task_modules)
    with _maker() as maker:
        _tell(maker.create_key(wanted), as_json)


@commands.command("list")
def listing(as_json: AsJson = False) -> None:
    """List the keys without their secrets, revoked ones too."""
    with _maker() as maker:
        listed = maker.keys()
    if as_json:
        print_json(Keys(keys=listed))
        return
    if not listed:
        say("there is no key: make one with `pernodedrop keys create`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("key", "role", "own tasks in", "made", "by", "state"):
        table.add_column(heading)
    for one in listed:
        table.add_row(one.name, one.role, _modules(one), day(one.created_at), one.created_by, _state(one))
    show_table(console_here(), table)


@commands.command()
def revoke(name: KeyName, as_json: AsJson = False) -> None:
    """End a key for good: servers refuse it within 5 seconds, in open pages too.

    Example:

      pernodedrop keys revoke alice
    """
    with _maker() as maker:
        ended = maker.revoke_key(name)
    answer(as_json, ended, f"{name} is revoked: servers refuse it within 5 s", changed=maker.last_changed)


@commands.command()
def rotate(
    name: KeyName,
    grace: Annotated[
        str | None, typer.Option(help="The key before opens for a time such as 1h more; by default it ends now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a key another secret and print it; name, role and end stay.

    Example:

      pernodedrop keys rotate alice
    """
    with _maker() as maker:
        _tell(maker.rotate_key(name, 0.0 if grace is None else lasting_s("--grace", grace, LONGEST_GRACE)), as_json)


class _InDatabase:
    """Makes keys in the database, and notes it there."""

    last_changed = True

    def __init__(self, database: Any, *, has_admin: bool) -> None:
        from service.storage.access import keys
        from service.storage.database import ordered

        self._database, self._keys, self._ordered, self._has_admin = database, keys, ordered, has_admin

    def create_key(self, wanted: KeyIn) -> KeyMade:
        lasts = None if wanted.lasts_s is None else timedelta(seconds=wanted.lasts_s)
        with self._noted("create key", **wanted.model_dump()):
            made, secret = self._keys.create(
                self._database,
                wanted.name,
                Role(wanted.role),
                by=BY_DATABASE,
                lasts=lasts,
                task_modules=wanted.task_modules,
                has_admin=self._has_admin,
            )
        return KeyMade(**asdict(made), key=secret)

    def keys(self) -> list[KeyOut]:
        return [KeyOut(**asdict(one)) for one in self._keys.listing(self._database)]

    def revoke_key(self, name: str) -> KeyOut:
        with self._noted("revoke key", key=name):
            return KeyOut(**asdict(self._keys.revoke(self._database, name)))

    def rotate_key(self, name: str, grace_s: float) -> KeyMade:
        with self._noted("rotate key", key=name, grace_s=grace_s):
            made, secret = self._keys.rotate(self._database, name, timedelta(seconds=grace_s))
        return KeyMade(**asdict(made), key=secret)

    @contextmanager
    def _noted(self, deed: str, **detail: Any) -> Iterator[None]:
        said = self._ordered.Ordered(BY_DATABASE, deed, detail)
        with self._ordered.ordering(lambda: said) as given:
            yield
        self.last_changed = given.changes


@contextmanager
def _maker() -> Iterator[Makes]:
    settings = settings_here()
    if settings.database_url is None:
        with client_here() as client:
            yield client
        return
    from service.storage.access.keys import AdminFirst, NameReserved
    from service.storage.database.database import Database
    from service.storage.database.plainly import plainly

    try:
        with plainly(), Database.open(settings.database_url) as database:
            database.check()
            # Whatever is set here and no key of the database is the servers' own key.
            own = settings.api_key is not None and not settings.api_key.startswith(KEY)
            yield _InDatabase(database, has_admin=own)
    except (ValueError, AdminFirst, NameReserved) as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _wanted(name: str, role: Role, lasts_s: float | None, modules: str) -> KeyIn:
    listed = [one.strip() for one in modules.split(",") if one.strip() not in ("", NONE)]
    try:
        return KeyIn(name=name, role=role.value, lasts_s=lasts_s, task_modules=None if listed == [ANY] else listed)
    except ValidationError as error:
        from service.web.broken import reworded

        first = error.errors()[0]
        name = str(first["loc"][0])
        said = reworded(first).message.removeprefix(".".join(map(str, first["loc"]))).lstrip(": ")
        option = {"task_modules": "--task-modules", "lasts_s": "--until"}.get(name, name)
        raise Failure(f"{option} {said}", ExitCode.WRONG) from None


def _tell(made: KeyMade, as_json: bool) -> None:
    """The key alone on standard output, so that a script can take it."""
    if as_json:
        print_json(made)
        return
    echo(made.key)
    ends = f" until {to_minute(made.ends_at)}" if made.ends_at else ""
    typer.echo(f"{made.name} has the role {made.role}{ends}; this key is not shown again", err=True)


def _modules(key: KeyOut) -> str:
    if key.role is Role.ADMIN or key.task_modules is None:
        return "any"
    return ", ".join(key.task_modules) or "none"


def _state(key: KeyOut) -> str:
    if key.revoked_at is not None:
        return f"revoked {day(key.revoked_at)}"
    if key.ends_at is None:
        return "open"
    return f"{'ended' if key.has_ended else 'until'} {to_minute(key.ends_at)}"
