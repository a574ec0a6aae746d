"""The errors of the storage, each with one line that says what to do."""


class StorageError(Exception):
    """The storage refused the call."""


class StudyExists(StorageError):
    """A study of this name exists."""

    def __init__(self, name: str) -> None:
        super().__init__(f"study {name!r} exists already: choose another name or delete it first")


class UnknownStudy(StorageError):
    """No study has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no study is named {name!r}")
        self.name = name


class UnknownTrial(StorageError):
    """The study has no such trial, or run of its confirmation."""

    def __init__(self, study: str, trial: str) -> None:
        super().__init__(f"study {study!r} has no {trial}")
        self.study = study


class UnknownWorker(StorageError):
    """No worker has this id."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"no worker has the id {worker!r}: `pernodedrop workers` lists them")


class UnknownWebhook(StorageError):
    """No webhook has this number, or it is not told of the event."""

    def __init__(self, webhook: int) -> None:
        super().__init__(f"there is no webhook {webhook}: `pernodedrop webhooks list` shows them")


class WebhookRefused(StorageError):
    """The webhook cannot be registered so."""


class IllegalTransition(StorageError):
    """The study cannot go from its state to the one that was asked for."""

    def __init__(self, name: str, state: str, wanted: str, *, can_grow: bool) -> None:
        again = f"`pernodedrop clone {name} NEWNAME` submits it again"
        remedy = f"`pernodedrop extend {name} --trials N` adds trials to it" if can_grow else again
        super().__init__(f"study {name!r} is {state} and cannot become {wanted}: {remedy}")


class NotResumable(StorageError):
    """The study would begin nothing if it were resumed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"study {name!r} cannot be resumed: {reason}")


class NotExtendable(StorageError):
    """The study can have no further trials."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"study {name!r} cannot be extended: {reason}")


class NotConfirmable(StorageError):
    """The study has nothing that could be confirmed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"study {name!r} cannot be confirmed: {reason}")


class NotEnqueueable(StorageError):
    """The study's queue cannot take the configuration."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"study {name!r} cannot take the configuration: {reason}")


class NotRetryable(StorageError):
    """Nothing of the study can be tried again."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"study {name!r} cannot be retried: {reason}")


class NotSelectable(StorageError):
    """The study's runs cannot be chosen or sorted so."""

    def __init__(self, study: str, reason: str) -> None:
        super().__init__(f"cannot list the runs of study {study!r}: {reason}")


class NotWithdrawable(StorageError):
    """The run has no configuration that could be taken back."""

    def __init__(self, study: str, run: int, reason: str) -> None:
        super().__init__(f"run {run} of study {study!r} cannot be withdrawn: {reason}")


class TrialEnded(StorageError):
    """The trial has ended, so nothing is left to cancel."""

    def __init__(self, study: str, trial: str, state: str) -> None:
        super().__init__(f"{trial} of study {study!r} is {state} and cannot be cancelled")


class LeaseLost(StorageError):
    """The holder no longer has the run, which was taken over, ended or deleted; its writes are refused."""

    def __init__(self, run_id: int, token: int) -> None:
        super().__init__(f"the lease of run {run_id} with token {token} has ended, so that its holder is refused")


class NotExternal(StorageError):
    """The study's runs are trained by the fleet."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(f"study {name!r} has the task {task}, which workers train: only task external has an own loop")


class OutOfOrder(StorageError):
    """The epoch is not the next one of its run."""


class UnusableMetrics(StorageError):
    """A metric of an epoch is missing, or has a name that it cannot have."""

    def __init__(self, metric: str, rule: str) -> None:
        self.path = f"body.metrics.{metric}"
        super().__init__(f"{self.path} {rule}")


class EpochsMissing(StorageError):
    """A run is not complete yet."""

    def __init__(self, run_id: int, have: int, of: int) -> None:
        super().__init__(f"run {run_id} has {have} of {of} epochs: report the others first, or tell failed")


class DatabaseUnreachable(StorageError):
    """The database does not answer, or cannot serve anybody at the moment.

    `state` says so in a few words, after "the database", without names. `passes` is whether it ends by itself or by an
    operator, and not by a change of DATABASE_URL or of this user's rights.
    """

    def __init__(self, message: str = "", *, state: str = "does not answer", passes: bool = False) -> None:
        super().__init__(message)
        self.state, self.passes = state, passes


class DatabaseRefuses(StorageError):
    """The database answers and refuses what it was asked; `passes` is whether the same may be granted soon."""

    def __init__(self, message: str = "", *, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


class DatabaseUnsuitable(DatabaseRefuses):
    """The database cannot hold our tables, or holds another program's under their names."""


class DumpFailed(StorageError):
    """A dump cannot be made or restored."""


class SchemaOutdated(StorageError):
    """The database's tables are missing, or older or newer than this program."""
