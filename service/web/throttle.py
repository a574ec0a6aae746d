"""Slows down the guessing of the key, by the address it comes from and over all addresses."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

LONGEST_WAIT_S = 60.0
LONGEST_PROVEN_WAIT_S = 4.0  # of an address that has given the right key: others may guess behind the same one
PROVEN_S = 24 * 3600.0
MOST_SENDERS = 4096  # remembered; the longest silent one is dropped first
GUESSES, GUESSES_A_S = 100.0, 1.0  # wrong keys in a row, and then a second, from all unproven addresses together
IPV6_PREFIX = 64  # bits: what one subscriber gets


@dataclass(frozen=True)
class _Failures:
    number: int
    last: float
    is_forgiven: bool = False  # the sender has given a right key since, and does not wait


def sender_of(host: str) -> str:
    """Return whom an address stands for: itself, or the network of an IPv6 address, which is one subscriber's."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{address.packed[: IPV6_PREFIX // 8].hex()}/{IPV6_PREFIX}"


class Throttle:
    """Remembers who gave wrong keys. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._proven: OrderedDict[str, float] = OrderedDict()
        self._guesses = GUESSES  # that are free at the time `_counted`
        self._counted = 0.0

    def wait_s(self, sender: str, now: float) -> float:
        """Return the seconds until the sender's next key is accepted for checking, 0 if that is now."""
        proven = self._is_proven(sender, now)
        together = 0.0 if proven else (1.0 - self._free(now)) / GUESSES_A_S
        failures = self._failures.get(sender)
        if failures is None or failures.is_forgiven:
            return max(0.0, together)
        longest = LONGEST_PROVEN_WAIT_S if proven else LONGEST_WAIT_S
        alone = failures.last + min(longest, 2.0 ** (failures.number - 1)) - now
        return max(0.0, together, alone)

    def failed(self, sender: str, now: float) -> None:
        """Note a wrong key."""
        before = self._failures.pop(sender, None)
        if before is not None and before.is_forgiven and now - before.last >= LONGEST_WAIT_S:
            before = None
        self._failures[sender] = _Failures(min((before.number if before else 0) + 1, 16), now)
        if len(self._failures) > MOST_SENDERS:
            self._failures.popitem(last=False)
        self._guesses, self._counted = max(0.0, self._free(now) - 1.0), now

    def succeeded(self, sender: str, now: float) -> None:
        """Note the right key: the sender waits no longer.

        Wrong keys of the last `LONGEST_WAIT_S` count with the next one: who has a key cannot guess at another faster by
        giving it in between.
        """
        if sender in self._failures:
            self._failures[sender] = replace(self._failures[sender], is_forgiven=True)
        self._proven.pop(sender, None)
        self._proven[sender] = now
        if len(self._proven) > MOST_SENDERS:
            self._proven.popitem(last=False)

    def _is_proven(self, sender: str, now: float) -> bool:
        return now - self._proven.get(sender, -PROVEN_S) < PROVEN_S

    def _free(self, now: float) -> float:
        return min(GUESSES, self._guesses + (now - self._counted) * GUESSES_A_S)
