"""What can be wrong with a task before its first epoch; every message is one line with its remedy."""


class UnknownTask(ValueError):
    """No task of that name is built in, or the own class cannot be imported."""


class InvalidOptions(ValueError):
    """The study's task has an option that its task does not define, or with a value that does not fit."""


class DataUnavailable(RuntimeError):
    """The data are not in the data folder and cannot be fetched, or they are not what they should be."""
