"""Slows down the guessing of keys: after each wrong key, its sender must wait twice as long as before."""

from collections import OrderedDict

LONGEST_WAIT_S = 60.0
MOST_SENDERS = 4096  # remembered; the longest silent one is dropped first


class Throttle:
    """Remembers by sender how many keys in a row were wrong. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, sender: str, now: float) -> float:
        """Return the seconds until the sender's next key is accepted for checking, 0 if that is now."""
        failures, last = self._failures.get(sender, (0, now))
        if failures == 0:
            return 0.0
        return max(0.0, last + min(LONGEST_WAIT_S, 2.0 ** (failures - 1)) - now)

    def failed(self, sender: str, now: float) -> None:
        """Note a wrong key."""
        failures, _ = self._failures.pop(sender, (0, now))
        self._failures[sender] = (min(failures + 1, 16), now)
        if len(self._failures) > MOST_SENDERS:
            self._failures.popitem(last=False)

    def succeeded(self, sender: str) -> None:
        """Forget the sender's wrong keys."""
        self._failures.pop(sender, None)
