"""The errors of a task before its first epoch; every message is one line with its remedy."""


class UnknownTask(ValueError):
    """No built-in task has that name, or the user's class cannot be imported."""


class InvalidOptions(ValueError):
    """A study has an option that its task does not define, or whose value does not fit."""


class DataUnavailable(RuntimeError):
    """The data are not in the data folder and cannot be fetched, or they are not as expected."""


class InvalidInputs(ValueError):
    """A task's inputs are of no kind that a training takes; the message is one line."""
