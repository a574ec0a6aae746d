"""Text as a terminal or a log may show it, and the logs of our processes, which show it so.

A terminal obeys ESC and the controls of Unicode: an exception's text could clear the screen, hide a line or write one
of ours. So every process escapes where text leaves it, and nothing needs to ask where the text came from.
"""

import json
import logging
import os
import re
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pernodedrop.log_context import facts

# Unicode's categories Cc (controls), Cf (formats: bidirectional marks, joiners, tags), Cs (halves of a pair), Zl and
# Zp (separators of lines and paragraphs). tests/cli/test_escapes.py compares the list with Python's Unicode database.
_CONTROLS = (
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_IN_A_LINE = re.compile(f"[{_CONTROLS}]")
_IN_LINES = re.compile(f"(?!\r?\n)[{_CONTROLS}]")
FORMAT = "%(asctime)s UTC %(levelname)s %(message)s"
INDENT = "    "
LOG_FORMAT = "PERNODEDROP_LOG_FORMAT"
FORMS = ("text", "json")


def visible(text: str) -> str:
    r"""The text in one line, with every control and format character as Python writes it: \n, \x1b, \u202e."""
    return _IN_A_LINE.sub(_written, text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines: their ends stay."""
    return _IN_LINES.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


class LogFormatter(logging.Formatter):
    """A record begins at the margin and its further lines are indented, so that no text can look like a record."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return visible_lines(super().format(record)).replace("\n", f"\n{INDENT}")


class JsonFormatter(logging.Formatter):
    """A record is one line of JSON in ASCII: time (UTC), level, logger, message, exception, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        shown = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": visible_lines(record.getMessage()),
            **facts(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            shown["exception"] = visible_lines(self.formatException(record.exc_info))
        if record.stack_info:
            shown["stack"] = visible_lines(record.stack_info)
        return json.dumps(shown)


def log_format(environment: Mapping[str, str] = os.environ) -> str:
    """The form of this process's records, `text` or `json`, as PERNODEDROP_LOG_FORMAT says.

    Raises:
        ValueError: it says something else.
    """
    chosen = environment.get(LOG_FORMAT, "").strip() or FORMS[0]
    if chosen not in FORMS:
        raise ValueError(f"{LOG_FORMAT} must be {' or '.join(FORMS)}, got {chosen[:40]!r}")
    return chosen


def log_to_stderr(level: int | str = logging.INFO, form: str = "text") -> None:
    """Send the records of this process to standard error, escaped; those of Optuna too, which has its own handler.

    As `json`, Python's warnings and exceptions that nobody caught are records, too.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else LogFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
    optuna = logging.getLogger("optuna")
    optuna.handlers.clear()
    optuna.propagate = True
    if form == "json":
        logging.captureWarnings(True)
        _uncaught_goes_to(_record)


def _record(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, (SystemExit, KeyboardInterrupt)):
        logging.getLogger(__name__).critical("%s: %s", kind.__name__, error, exc_info=(kind, error, where))


def escape_the_rest() -> None:
    """Escape what Python writes to standard error by itself: exceptions that nobody caught, warnings, stray records."""
    _uncaught_goes_to(_tell)
    warnings.formatwarning = _warning
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())


def _uncaught_goes_to(tell: Callable[[type[BaseException], BaseException | None, TracebackType | None], None]) -> None:
    """Let `tell` have what nobody caught; Ctrl-C in a destructor stays with the hook that is there, the door's."""
    before = sys.unraisablehook

    def unraisable(caught: Any) -> None:
        if issubclass(caught.exc_type, KeyboardInterrupt):
            before(caught)
        else:
            tell(caught.exc_type, caught.exc_value, caught.exc_traceback)

    sys.excepthook = tell
    threading.excepthook = lambda caught: tell(caught.exc_type, caught.exc_value, caught.exc_traceback)
    sys.unraisablehook = unraisable


_plain_warning = warnings.formatwarning


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return visible_lines(_plain_warning(message, category, filename, lineno, line))


def _tell(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if not issubclass(kind, (SystemExit, KeyboardInterrupt)):  # Python ends the process as the signal would
        sys.stderr.write(visible_lines("".join(traceback.format_exception(kind, error, where))))
