"""Keys, links that show one study, and who ordered what."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from search_spaces.part import Part
from service.storage.access.bounds import LONGEST_GRACE, LONGEST_KEY, LONGEST_LINK, MODULE_PATTERN, NAME_PATTERN
from service.storage.access.roles import ROLE_PATTERN, Role

MOST_MODULES = 100

Module = Annotated[str, Field(pattern=MODULE_PATTERN, max_length=200)]


class KeyIn(Part):
    name: str = Field(
        pattern=NAME_PATTERN, description="The audit names the key's holder so.", examples=["alice@lab.example"]
    )
    role: str = Field(
        pattern=ROLE_PATTERN,
        description="read sees everything; submit also submits and changes studies; admin also deletes them and "
        "makes keys.",
        examples=["submit"],
    )
    lasts_s: float | None = Field(
        None,
        gt=0,
        le=LONGEST_KEY.total_seconds(),
        description="The key ends so many s from now; null: never.",
        examples=[2592000],
    )
    task_modules: list[Module] | None = Field(
        [],
        max_length=MOST_MODULES,
        description="A submit key may use own tasks in these modules and those inside them, besides built-in tasks; "
        "null: in any. The servers' PERNODEDROP_TASK_MODULES counts beside it.",
        examples=[["mylab.tasks"]],
    )


class RotateIn(Part):
    grace_s: float = Field(
        0,
        ge=0,
        le=LONGEST_GRACE.total_seconds(),
        description="The key before opens for so many s more.",
        examples=[3600],
    )


class ShareIn(Part):
    lasts_s: float = Field(
        gt=0, le=LONGEST_LINK.total_seconds(), description="The link ends so many s from now.", examples=[604800]
    )


class KeyOut(BaseModel):
    name: str = Field(examples=["alice@lab.example"])
    role: Role
    task_modules: list[str] | None = Field(
        description="Own tasks may be in these modules; null: in any that the servers allow.",
        examples=[["mylab.tasks"]],
    )
    created_by: str = Field(examples=["PERNODEDROP_API_KEY"])
    created_at: datetime
    rotated_at: datetime | None
    former_until: datetime | None = Field(description="The key before the last rotation opens until then.")
    ends_at: datetime | None
    revoked_at: datetime | None
    has_ended: bool = Field(description="The key opens nothing: it was revoked or is at its end.", examples=[False])


class KeyMade(KeyOut):
    key: str = Field(description="This is the secret; no other answer ever has it.", examples=["pnd_..."])


class Keys(BaseModel):
    keys: list[KeyOut]


class WhoOut(BaseModel):
    """Who sent the request."""

    name: str = Field(examples=["alice@lab.example"])
    role: Role
    task_modules: list[str] | None = Field(
        description="Own tasks may be in these modules; null: in any that the servers allow."
    )


class ShareOut(BaseModel):
    id: int = Field(examples=[1])
    created_by: str = Field(examples=["alice@lab.example"])
    created_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    has_ended: bool = Field(description="The link shows nothing: it was revoked or is at its end.", examples=[False])


class ShareMade(ShareOut):
    link: str = Field(
        description="Whoever has this link reads the study; no other answer ever has it.",
        examples=["http://127.0.0.1:8080/shared?token=pns_..."],
    )


class Shares(BaseModel):
    shares: list[ShareOut]


class DeedOut(BaseModel):
    id: int = Field(examples=[17])
    at: datetime
    caller: str = Field(description="This is the name of the caller's key.", examples=["alice@lab.example"])
    deed: str = Field(examples=["extend"])
    study: str | None = Field(description="The study was named so; it may be deleted.", examples=["digits-1"])
    detail: str = Field(description="What was ordered, as JSON, cut where it is long.", examples=['{"trials": 20}'])


class DeedPage(BaseModel):
    deeds: list[DeedOut] = Field(description="The newest comes first.")
    total: int = Field(examples=[1])


__all__ = [
    "DeedOut",
    "DeedPage",
    "KeyIn",
    "KeyMade",
    "KeyOut",
    "Keys",
    "RotateIn",
    "ShareIn",
    "ShareMade",
    "ShareOut",
    "Shares",
    "WhoOut",
]
