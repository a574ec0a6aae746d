"""The end of what trials say, without secrets: those that this process was started with, and what looks like one.

A trial gets no secret of the service, but its task may have others, for a storage or a hub, and may print its
environment or an address with a password.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
LINES = 200  # of a text that are kept
BYTES = 2**16  # of a text that are kept
LONGEST = 8192  # bytes of a secret that is still found where a text is cut
_LEAST = 6  # characters: a shorter value may be any word
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|DATABASE_URL")

_LOOKS_SECRET = (
    # The password of an address.
    (re.compile(r"(://[^\s/:@]{0,200}:)[^\s@]{1,256}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{8,}"), rf"\1\2{HIDDEN}"),
    # What follows a name of it; a count of tokens is a number.
    (
        re.compile(
            r"(?i)((?:api|access|private)[_-]?key|secret|passw(?:or)?d|token)([\w-]{0,40}[\"']?\s*[=:]\s*[\"']?)"
            r"(?![\d.,]+(?:\s|$))[^\s\"',;)]{4,}"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\b(?:hf_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abp]-|AKIA)[\w-]{10,}"), HIDDEN),
)


class Secrets:
    """The secrets of an environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        named = [value for name, value in environment.items() if _NAMES.search(name.upper())]
        passwords = [password for value in environment.values() if (password := _password(value))]
        known = {part for value in (*named, *passwords) for part in (value, unquote(value)) if len(part) >= _LEAST}
        self._known = sorted(known, key=len, reverse=True)

    def scrubbed(self, text: str) -> str:
        """The text without them, and without what looks like one."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        for pattern, replacement in _LOOKS_SECRET:
            text = pattern.sub(replacement, text)
        return text


def _password(value: str) -> str | None:
    if "://" not in value:
        return None
    try:
        return urlsplit(value).password
    except ValueError:
        return None


_secrets: list[Secrets] = []


def know(environment: Mapping[str, str]) -> None:
    """Keep what this environment has of secrets, before they are taken out of it."""
    _secrets[:] = [Secrets(environment)]


def scrubbed(text: str) -> str:
    """The text without the secrets of the environment that `know` was told of, by default this process's."""
    if not _secrets:
        know(os.environ)
    return _secrets[0].scrubbed(text)


def last_lines(text: str) -> str:
    """The last `LINES` lines of the text and at most `BYTES` bytes, without secrets."""
    lines = scrubbed(text.replace("\0", "\\0")).splitlines(keepends=True)[-LINES:]
    encoded = "".join(lines).encode(errors="backslashreplace")
    if len(encoded) <= BYTES:
        return encoded.decode()
    encoded = encoded[-BYTES:]
    _, is_whole, rest = encoded.partition(b"\n")
    return (rest if is_whole and rest else encoded).decode(errors="ignore")
