"""Forms of the pages as a program fills them in."""

import re
from html import unescape

import httpx


def value_of(name: str, page: str) -> str:
    """The value of the page's first field of this name."""
    found = re.search(rf'<input[^>]* name="{name}" value="([^"]*)"', page)
    assert found is not None, f"the page has no field {name}"
    return unescape(found[1])


def post(client: httpx.Client, address: str, *, page: str | None = None, **fields: str) -> httpx.Response:
    """Post the order's form with these fields, and with the hidden ones of its page."""
    shown = client.get(page or address).text
    hidden = {name: value_of(name, shown) for name in ("token", "number")}
    return client.post(address, data={**hidden, **fields})
