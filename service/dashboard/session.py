"""The content of the login cookie: an expiry, signed with a key that is derived from the API key."""

import hashlib
import hmac

LIFETIME_S = 12 * 3600


def issued(api_key: str, now: float) -> str:
    """Return a token that is valid for `LIFETIME_S` from `now` (s since the epoch), under this API key only."""
    expiry = str(int(now) + LIFETIME_S)
    return f"{expiry}.{_signature(api_key, expiry)}"


def is_valid(token: str, api_key: str, now: float) -> bool:
    """Whether the token was issued for this API key and has not expired."""
    expiry, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(api_key, expiry).encode()):
        return False
    return now < int(expiry)


def _signature(api_key: str, expiry: str) -> str:
    # In two steps, so that nothing else that is ever signed with the API key is valid as a session.
    signing_key = hmac.digest(api_key.encode(), b"pernodedrop dashboard session", hashlib.sha256)
    return hmac.new(signing_key, expiry.encode(), hashlib.sha256).hexdigest()
