"""Which addresses a webhook may lead to: none of the inside, unless the operator allows it.

Whoever may register a webhook could otherwise let the controller call what only the controller reaches: a cloud's
metadata, the database's host, an administration page.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

VARIABLE = "PERNODEDROP_WEBHOOK_ALLOW"
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

Address = IPv4Address | IPv6Address

# Public addresses that a cloud gives its own services.
_METADATA = frozenset((ip_address("168.63.129.16"),))
_NAT64 = IPv6Network("64:ff9b::/96")  # https://www.rfc-editor.org/rfc/rfc6052
# Of no public network by IANA's registries of special-purpose addresses, whatever the release of Python knows of them.
SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # RFC 6890; a cloud's metadata are at 192.0.0.192
            "192.88.99.0/24",  # relays of 6to4, RFC 7526
            "64:ff9b:1::/48",  # a network's own translation to IPv4, RFC 8215
            "3fff::/20",  # documentation, RFC 9637
            "5f00::/16",  # segments' ids, RFC 9602
            "fec0::/10",  # a site's own, RFC 3879
        ),
    )
)


@dataclass(frozen=True)
class Allowed:
    """What the operator allows of the inside: networks, and hosts by name whatever their addresses are."""

    networks: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read networks, addresses and names with commas between them.

        Raises:
            ValueError: one is none of these; the message is one line that names it.
        """
        networks, hosts = [], []
        for name in (piece.strip().lower() for piece in text.split(",")):
            if not name:
                continue
            try:
                networks.append(str(ip_network(name)))
            except ValueError:
                if not _HOST.fullmatch(name) or name.rpartition(".")[2].isdecimal():
                    raise ValueError(
                        f"{VARIABLE} must list networks, addresses or names of hosts (10.0.0.0/8, 127.0.0.1, "
                        f"hooks.example.org), got {name!r}"
                    ) from None
                hosts.append(name)
        return cls(tuple(networks), frozenset(hosts))

    def admits(self, host: str, address: Address) -> bool:
        """Whether a webhook of this host may lead to this address of it."""
        if not is_internal(address) or host.lower().rstrip(".") in self.hosts:
            return True
        meant = _embedded(address) or (address,)
        return all(any(one in ip_network(network) for network in self.networks) for one in meant)


NOTHING = Allowed()


def is_internal(address: Address) -> bool:
    """Whether the address is of this machine, of a network of its own, or of a cloud's services."""
    embedded = _embedded(address)
    if embedded:
        return any(is_internal(one) for one in embedded)
    is_public = address.is_global and not (address.is_multicast or address.is_reserved)
    return not is_public or address in _METADATA or any(address in network for network in SPECIAL)


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The addresses of IPv4 that an address of IPv6 leads to."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
