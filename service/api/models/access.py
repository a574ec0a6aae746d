"""Keys, links that show one study, and who ordered what."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.storage.access.roles import Role
from service.web.access_orders import KeyIn, RotateIn, ShareIn


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
