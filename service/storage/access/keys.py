"""The keys of callers: made, listed, rotated, revoked, and found by what a caller sends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pernodedrop.near import did_you_mean
from service.storage.access.bounds import RESERVED
from service.storage.access.roles import Role
from service.storage.access.secret import KEY, digest_of, made
from service.storage.database import ordered
from service.storage.database.access_tables import access_keys
from service.storage.database.database import Database
from service.storage.errors import StorageError


class KeyExists(StorageError):
    """A key has this name, or had it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"key {name!r} exists already or was revoked: choose another name, or rotate it")


class NameReserved(StorageError):
    """The audit means somebody without a key by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"key {name!r} would be taken for who orders without a key: choose another name")


class AdminFirst(StorageError):
    """The key would leave servers that ask for keys, and nobody who can make or end them."""

    def __init__(self, role: Role) -> None:
        super().__init__(
            "role must be admin where no open key is an admin's, since servers ask for a key once there is one, got "
            f"{role}: make an admin's key first, or set PERNODEDROP_API_KEY as your servers have it"
        )


class LastAdmin(StorageError):
    """Nobody could make or end keys any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"key {name!r} is the last open one of an admin and cannot be revoked: rotate it, make another admin's key "
            "first, or revoke it where DATABASE_URL is set"
        )


class UnknownKey(StorageError):
    """No key has this name."""

    def __init__(self, name: str, there: Sequence[str]) -> None:
        super().__init__(f"no key is named {name!r}: {did_you_mean(name, there, '`pernodedrop keys list` shows them')}")


class KeyRevoked(StorageError):
    """The key was revoked, which is for good."""

    def __init__(self, name: str) -> None:
        super().__init__(f"key {name!r} was revoked and cannot be rotated: make one with another name")


@dataclass(frozen=True)
class AccessKey:
    """A key without its secret."""

    name: str
    role: Role
    task_modules: tuple[str, ...] | None  # that its own tasks may be in; None: whatever the servers allow
    created_by: str
    created_at: datetime
    rotated_at: datetime | None
    former_until: datetime | None  # the key before the rotation opens until then
    ends_at: datetime | None
    revoked_at: datetime | None
    has_ended: bool  # or was revoked


_ENDED = sa.func.coalesce(
    (access_keys.c.revoked_at.is_not(None)) | (access_keys.c.ends_at <= sa.func.now()), sa.false()
).label("has_ended")
_SHOWN = [one for one in access_keys.c if not one.name.endswith("hash")]
_HAS_ADMIN = sa.select(sa.exists().where(access_keys.c.role == Role.ADMIN, sa.not_(_ENDED.element)))


def create(
    db: Database,
    name: str,
    role: Role,
    *,
    by: str,
    lasts: timedelta | None = None,
    task_modules: Sequence[str] | None = None,
    has_admin: bool = False,
) -> tuple[AccessKey, str]:
    """Make a key and return it with its secret, which nobody can read again.

    Args:
        db: The database.
        name: It has `bounds.NAME_PATTERN`.
        role: What its holder may do.
        by: Who makes it.
        lasts: The key ends so long from now; None: never.
        task_modules: Modules that its own tasks may be in; None: whatever the servers allow.
        has_admin: Whether somebody is an admin without a key of the database, by the servers' PERNODEDROP_API_KEY.

    Raises:
        NameReserved: the audit means somebody without a key by the name.
        AdminFirst: the role is no admin's, and nobody is an admin yet.
        KeyExists: the name is taken, perhaps by a revoked key.
    """
    if name in RESERVED:
        raise NameReserved(name)
    secret = made(KEY)
    new = insert(access_keys).values(
        name=name,
        role=role,
        hash=digest_of(secret.encode()),
        created_by=by,
        ends_at=None if lasts is None else sa.func.now() + lasts,
        task_modules=None if task_modules is None else list(task_modules),
    )
    with db.engine.begin() as connection:
        if not (role is Role.ADMIN or has_admin or connection.execute(_HAS_ADMIN).scalar_one()):
            raise AdminFirst(role)
        row = connection.execute(new.on_conflict_do_nothing(index_elements=["name"]).returning(*_SHOWN, _ENDED)).first()
        if row is None:
            raise KeyExists(name)
        ordered.note(connection, None)
    return _key(row), secret


def listing(db: Database) -> list[AccessKey]:
    """Every key, revoked ones too, by name."""
    with db.engine.connect() as connection:
        rows = connection.execute(sa.select(*_SHOWN, _ENDED).order_by(access_keys.c.name)).all()
    return [_key(row) for row in rows]


def revoke(db: Database, name: str, *, keeps_admin: bool = False) -> AccessKey:
    """End the key for good, now; one that was revoked before stays as it is.

    `keeps_admin` asks that an admin's key be open afterwards, where one is: who calls could not make another.

    Raises:
        UnknownKey: there is none of this name.
        LastAdmin: no admin's key would be open.
    """
    with db.engine.begin() as connection:
        had_admin = keeps_admin and _lock_admins(connection)
        change = access_keys.update().where(access_keys.c.name == name, access_keys.c.revoked_at.is_(None))
        change = change.values(revoked_at=sa.func.now(), former_until=None)
        row = connection.execute(change.returning(*_SHOWN, _ENDED)).first()
        if row is not None:
            if had_admin and not connection.execute(_HAS_ADMIN).scalar_one():
                raise LastAdmin(name)
            ordered.note(connection, None)
        else:
            row = connection.execute(sa.select(*_SHOWN, _ENDED).where(access_keys.c.name == name)).first()
        if row is None:
            raise _unknown(connection, name)
    return _key(row)


def _lock_admins(connection: sa.Connection) -> bool:
    """Whether an admin's key is open; until the transaction's end nobody else ends one: two might end each other's."""
    admins = sa.select(access_keys.c.name).where(access_keys.c.role == Role.ADMIN).order_by(access_keys.c.name)
    connection.execute(admins.with_for_update())
    return bool(connection.execute(_HAS_ADMIN).scalar_one())


def rotate(db: Database, name: str, grace: timedelta = timedelta(0)) -> tuple[AccessKey, str]:
    """Give the key another secret, and return both. The one before opens for the time of grace, none by default.

    Raises:
        UnknownKey: there is none of this name.
        KeyRevoked: it was revoked.
    """
    secret = made(KEY)
    change = access_keys.update().where(access_keys.c.name == name, access_keys.c.revoked_at.is_(None))
    change = change.values(
        hash=digest_of(secret.encode()),
        former_hash=access_keys.c.hash,
        former_until=sa.func.now() + grace if grace else None,
        rotated_at=sa.func.now(),
    )
    with db.engine.begin() as connection:
        row = connection.execute(change.returning(*_SHOWN, _ENDED)).first()
        if row is None:
            known = connection.execute(sa.select(access_keys.c.name).where(access_keys.c.name == name)).first()
            raise _unknown(connection, name) if known is None else KeyRevoked(name)
        ordered.note(connection, None)
    return _key(row), secret


_FOUND = sa.text(
    """
    SELECT name, role, task_modules, hash = :hash AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > now())
        OR former_hash = :hash AND former_until > now() AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > now())
        AS opens
    FROM fleet.access_keys WHERE hash = :hash OR former_hash = :hash
    """
)


@dataclass(frozen=True)
class Found:
    """A key that the database knows, and whether it opens: it may have been revoked, rotated, or be at its end."""

    name: str
    role: Role
    task_modules: tuple[str, ...] | None
    opens: bool


def find(db: Database, digest: bytes) -> Found | None:
    """Return the key whose secret has this digest, None where no key has or had it."""
    with db.engine.connect() as connection:
        row = connection.execute(_FOUND, {"hash": digest}).first()
    if row is None:
        return None
    return Found(row.name, Role(row.role), _modules(row.task_modules), bool(row.opens))


def are_there(db: Database) -> bool:
    """Whether a key was ever made, so that servers ask for one; revoked keys count, so that no door opens by them."""
    with db.engine.connect() as connection:
        return bool(connection.execute(sa.select(sa.exists().select_from(access_keys))).scalar_one())


def _unknown(connection: sa.Connection, name: str) -> UnknownKey:
    return UnknownKey(name, list(connection.execute(sa.select(access_keys.c.name).limit(1000)).scalars()))


def _key(row: Any) -> AccessKey:
    fields = {**row._mapping, "role": Role(row.role), "task_modules": _modules(row.task_modules)}
    return AccessKey(**fields)


def _modules(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
