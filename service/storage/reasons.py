"""Why a run ended, in words that Postgres takes and a table shows."""

LONGEST = 1000  # characters


def storable(reason: str) -> str:
    """Return `reason` on one line of at most `LONGEST` characters, without NUL and lone surrogates.

    An error's text may quote any byte; text columns refuse these two, and with them the end of the run.
    """
    text = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return " ".join(text.split())[:LONGEST]
