"""Random secrets, of which only a digest is kept."""

import hashlib
import secrets

KEY = "pnd_"  # begins every key that we make, so that people and scanners of secrets know it
LINK = "pns_"  # begins the token of every link
_BYTES = 32  # random ones: nobody guesses 256 bits, so a plain SHA-256 hides them


def made(kind: str) -> str:
    """A new secret, which begins with its kind, in letters that an URL takes."""
    return kind + secrets.token_urlsafe(_BYTES)


def digest_of(secret: bytes) -> bytes:
    """What is stored of a secret. Whoever looks one up by it learns nothing from how long that takes."""
    return hashlib.sha256(secret).digest()
