"""What a call of the controller may raise; every message is one line, or one for each broken rule."""


class Unreachable(Exception):
    """The controller, or the database behind it, does not answer."""


class Away(Unreachable):
    """The controller answers, and has no database at the moment, or is busy; the message says which."""


class Refused(Exception):
    """The controller answered with an error: `status` is that of HTTP, `error` its name for programs."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class LeaseLost(Refused):
    """The run is another holder's by now, or has ended: this training counts no more."""
