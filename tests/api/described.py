"""The controller's published description, which takes a second to make."""

import copy
from functools import cache
from typing import Any

from service.api.app import create_app
from tests.api.configuring import NO_DATABASE, settings_for


def description() -> dict[str, Any]:
    """The description of a controller that has a key, as a copy that may be changed."""
    return copy.deepcopy(_description())


@cache
def _description() -> dict[str, Any]:
    return create_app(settings_for(NO_DATABASE, api_key="a key for the description")).openapi()
