"""Orders on who may come in: keys are made, rotated and revoked, and links to a study made and revoked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from search_spaces import InvalidDefinition
from search_spaces.problems import Problem, shown
from service.dashboard.orders.order import Field, Made, Order
from service.storage.access import keys, shares
from service.storage.access.bounds import LONGEST_GRACE, LONGEST_KEY, LONGEST_LINK
from service.storage.access.keys import AccessKey
from service.storage.access.roles import Role
from service.storage.access.shares import Share
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.times import to_minute
from service.web.access import KEY_HOLDER, LOCAL
from service.web.access_orders import KeyIn
from service.web.broken import checked
from service.web.forms import Form

ANY = "*"
LINK_DAYS = 7
FIRST = (
    "From now on dashboard and controller ask for a key: log in with this one, and set it as PERNODEDROP_API_KEY for "
    "commands, also for `pernodedrop run` where one follows a study. If it is lost, start the servers with a "
    "PERNODEDROP_API_KEY of your own: that one lets you in, too."
)
IN_S = "servers refuse it within 5 s, in open pages too"


def _create_key(database: Database, about: Mapping[str, str], form: Form) -> Made:
    typed = [each for each in form["task_modules"].replace(",", " ").split() if each]
    lasts = _lasts("days", form["days"], LONGEST_KEY)
    said = {"name": form["name"].strip(), "role": form["role"], "task_modules": None if typed == [ANY] else typed}
    wanted = checked(KeyIn, said)
    role = Role(wanted.role)
    by = about["by"]
    _, secret = keys.create(
        database,
        wanted.name,
        role,
        by=by,
        lasts=lasts,
        task_modules=wanted.task_modules,
        has_admin=by == KEY_HOLDER.name,
    )
    first = f" {FIRST}" if by == LOCAL.name else ""
    return Made(f"The key {wanted.name} has the role {role}.{first}", secret)


def _rotate(database: Database, about: Mapping[str, str], form: Form) -> Made:
    grace = _lasts("grace", form["grace"], LONGEST_GRACE, least=0) or timedelta(0)
    _, secret = keys.rotate(database, about["key"], grace)
    before = f"opens for {grace.days} d more" if grace else "has ended"
    return Made(f"The key {about['key']} has another secret; the one before {before}.", secret)


def _revoke_key(database: Database, about: Mapping[str, str], _: Form) -> str:
    keys.revoke(database, about["key"], keeps_admin=about["by"] != KEY_HOLDER.name)
    return f"The key {about['key']} is revoked: {IN_S}."


def _share(database: Database, about: Mapping[str, str], form: Form) -> Made:
    lasts = _lasts("days", form["days"] or str(LINK_DAYS), LONGEST_LINK)
    made, token = shares.create(database, about["name"], lasts or LONGEST_LINK, by=about["by"])
    until = to_minute(made.ends_at)
    return Made(f"Whoever has this link reads {about['name']} until {until}.", f"{about['root']}/shared?token={token}")


def _revoke_share(database: Database, about: Mapping[str, str], _: Form) -> str:
    shares.revoke(database, about["name"], int(about["share"]))
    return f"Link {about['share']} is revoked: {IN_S}."


def _lasts(field: str, typed: str, most: timedelta, least: int = 1) -> timedelta | None:
    """The days that were typed; None for none."""
    text = typed.strip()
    if not text:
        return None
    days = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
    if not least <= days <= most.days:
        rule = f"must be a whole number from {least} to {most.days}, in days, got {shown(typed)}"
        raise InvalidDefinition([Problem.at(field, rule)])
    return timedelta(days=days)


def _days(name: str, label: str, most: timedelta, value: str = "", *, hint: str = "", least: int = 1) -> Field[Any]:
    bounds = {"min": str(least), "max": str(most.days)}
    return Field(name, label, lambda _: value, hint, kind="number", bounds=bounds)


CREATE_KEY = Order[object](
    "create",
    "Make a key",
    "A key has a name, which the audit notes, and a role. Its secret is shown once.",
    lambda _: True,
    _create_key,
    role=Role.ADMIN,
    deed="create key",
    fields=(
        Field("name", "Name", hint="Such as alice or ci@lab.example.", bounds={"required": "", "maxlength": "64"}),
        Field(
            "role",
            "Role",
            lambda _: Role.READ.value,
            choices=(
                (Role.READ.value, "read: sees every study"),
                (Role.SUBMIT.value, "submit: also submits and changes studies"),
                (Role.ADMIN.value, "admin: also deletes, drains and makes keys"),
            ),
        ),
        _days("days", "Ends after so many days", LONGEST_KEY, hint="Empty: never."),
        Field(
            "task_modules",
            "Own tasks may be in",
            hint="For submit: modules between commas; empty is built-in tasks alone, * is whatever the servers allow.",
        ),
    ),
)
ROTATE_KEY = Order[AccessKey](
    "rotate",
    "Rotate",
    "The key gets another secret, which is shown once; its name, role and end stay.",
    lambda key: not key.has_ended,
    _rotate,
    role=Role.ADMIN,
    deed="rotate key",
    fields=(_days("grace", "Days for which the one before opens still", LONGEST_GRACE, "0", least=0),),
)
REVOKE_KEY = Order[AccessKey](
    "revoke",
    "Revoke",
    f"The key ends now: {IN_S}. Its name stays in the audit and cannot be used again. After the last admin key only "
    "`pernodedrop keys create` with DATABASE_URL, or a server's PERNODEDROP_API_KEY, lets an admin in.",
    lambda key: key.revoked_at is None,
    _revoke_key,
    role=Role.ADMIN,
    deed="revoke key",
    takes_away=True,
)
SHARE = Order[StudyRecord](
    "share",
    "Share",
    "Makes a link that shows this study, its trials and its report to whoever has it, and lets nobody order anything. "
    "It is shown once.",
    lambda _: True,
    _share,
    fields=(_days("days", "It ends after so many days", LONGEST_LINK, str(LINK_DAYS)),),
)
REVOKE_SHARE = Order[Share](
    "revoke",
    "Revoke",
    f"The link ends now: {IN_S}.",
    lambda share: not share.has_ended,
    _revoke_share,
    deed="revoke share",
    takes_away=True,
)
