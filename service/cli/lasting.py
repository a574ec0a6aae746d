"""How long something lasts, as people write it: a time such as 7d, or a date."""

import re
from datetime import UTC, datetime, timedelta

from service.cli.exit_codes import ExitCode, Failure

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(\d{1,9}[dhms])+")


def lasting_s(option: str, text: str, longest: timedelta) -> float:
    """The seconds of 7d or 1h30m, or from now until 2027-01-31 or 2027-01-31T12:00, which are UTC.

    Raises:
        Failure: the text is neither, the date is past, or the time is longer than `longest`.
    """
    if _TIME.fullmatch(text):
        seconds = 1.0 * sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))
    else:
        try:
            end = datetime.fromisoformat(text)
        except ValueError:
            raise Failure(
                f"{option} must be a time such as 7d or 12h, or a date such as 2027-01-31, got {text!r}", ExitCode.WRONG
            ) from None
        seconds = ((end if end.tzinfo else end.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    if seconds <= 0:
        raise Failure(f"{option} must end in the future, got {text!r}", ExitCode.WRONG)
    if seconds > longest.total_seconds():
        raise Failure(f"{option} must be at most {longest.days}d, got {text!r}", ExitCode.WRONG)
    return seconds
