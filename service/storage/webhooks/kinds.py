"""What webhooks are told of. This file imports nothing of the program: a command line names them too."""

from enum import StrEnum


class Event(StrEnum):
    """What webhooks are told of; `TEST` is asked for by hand, and no webhook subscribes to it."""

    COMPLETE = "complete"  # a study has ended, and a trial is complete
    DECIDED = "decided"  # a confirmation has come to its verdict
    FAILED = "failed"  # a study has ended without a complete trial
    PAUSED = "paused"  # a study has paused itself, because its first trials fail alike
    NO_WORKER = "no-worker"  # runs wait, and no worker is alive
    TEST = "test"


SUBSCRIBED = tuple(event for event in Event if event is not Event.TEST)
