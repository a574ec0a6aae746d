"""What proves that a form came from a page of ours: a token in it, which no page of another site can read or guess.

Where people log in, the token follows from their session's cookie, which no script can read, so it is another one for
each session and ends with it. On a server without a key it follows from a secret of this process.
"""

import hashlib
import hmac

from starlette.requests import Request

from service.dashboard.access.session import COOKIE
from service.web.access import LOCAL, caller_of
from service.web.forms import Form

FIELD, HEADER = "token", "x-form-token"
_PURPOSE = b"pernodedrop form"


class ForeignForm(Exception):
    """The form is not from a page of this session."""

    def __init__(self) -> None:
        super().__init__(
            "this form is from before the last login, or the dashboard was started again: nothing was done. What you "
            "typed is kept: look at it and send it again"
        )


def token_of(request: Request) -> str:
    """The token of the request's session. Raises ForeignForm where there is none."""
    if caller_of(request) is LOCAL:
        secret: bytes = request.app.state.form_secret
    else:
        secret = request.cookies.get(COOKIE, "").encode("utf-8", "replace")
        if not secret:
            raise ForeignForm
    return hmac.digest(secret, _PURPOSE, hashlib.sha256).hex()


def check_token(request: Request, form: Form) -> None:
    """Return if the form, or the request's header, has the session's token; raises ForeignForm."""
    given = form[FIELD] or request.headers.get(HEADER, "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token_of(request).encode()):
        raise ForeignForm
