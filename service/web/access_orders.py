"""What people may say where they make keys and links: the same bounds for the API and for the pages."""

from typing import Annotated

from pydantic import Field

from search_spaces.part import Part
from service.storage.access.bounds import LONGEST_GRACE, LONGEST_KEY, LONGEST_LINK, MODULE_PATTERN, NAME_PATTERN
from service.storage.access.roles import ROLE_PATTERN

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
