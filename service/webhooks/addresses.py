"""Checks a webhook's address: what it says when it is registered, and where it leads whenever something is sent."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

import httpx

from service.webhooks.allowed import VARIABLE, Allowed

MOST_OF_URL = 2000  # characters


class AddressRefused(Exception):
    """The address cannot be a webhook's: a line says why, and what to do."""


class Unresolvable(Exception):
    """The host's name has no address at the moment."""


def checked_url(text: str, allowed: Allowed) -> str:
    """The URL of a webhook as it is kept.

    Raises:
        AddressRefused: it is no URL of http or https, has a user or a fragment, or leads to the inside now.
    """
    if len(text) > MOST_OF_URL:
        raise AddressRefused(f"url must have at most {MOST_OF_URL} characters, got {len(text)}")
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
        port = url.port
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise AddressRefused(f"url is no URL ({error}): write https://host/path") from None
    if url.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise AddressRefused(f"url must be https://host/path or http://host/path, got {text[:200]!r}")
    if url.userinfo:
        raise AddressRefused("url must have no user and no password: the signature says who sends")
    if url.fragment:
        raise AddressRefused("url must have no fragment (#...): no server is sent it")
    if port is not None and not 0 < port <= 65535:
        raise AddressRefused(f"url must have a port from 1 to 65535, got {port}")
    with suppress(Unresolvable):  # it may be known later
        resolve(host, port_of(url), allowed)
    return str(url)


def port_of(url: httpx.URL) -> int:
    """The port that the URL leads to."""
    return url.port or (443 if url.scheme == "https" else 80)


def resolve(host: str, port: int, allowed: Allowed) -> list[str]:
    """The addresses of the host, all of which it may lead to; whoever connects takes these, and asks for no others.

    Raises:
        AddressRefused: one of them is of the inside, and not allowed.
        Unresolvable: it has none.
    """
    found = list(dict.fromkeys(_addresses(host, port)))
    for text in found:
        address = ip_address(text.partition("%")[0])
        if not allowed.admits(host, address):
            what = "" if text == host.strip("[]") else f"{host} is {text}, "
            raise AddressRefused(
                f"{what or f'{text} is '}an address of the inside: the operator allows it with "
                f"{VARIABLE}={host if what else text}"
            )
    return found


def _addresses(host: str, port: int) -> Iterator[str]:
    try:
        for *_, place in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
            yield str(place[0])
    except (OSError, UnicodeError) as error:
        raise Unresolvable(f"{host} has no address ({getattr(error, 'strerror', None) or error})") from None
