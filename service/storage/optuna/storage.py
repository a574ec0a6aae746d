"""Optuna's storage on our engine: it shares connections, joins transactions on request, and reads quickly."""

import contextlib
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import orm

from service.storage.errors import SchemaOutdated
from service.storage.optuna.reading import read_trial, read_trials
from service.storage.optuna.tables import head

MOST_STUDIES = 32  # whose trials a process keeps: more than it has in training at once
_TOGETHER: dict[str, Any] = {"join_transaction_mode": "rollback_only", "autoflush": False, "expire_on_commit": False}

T = TypeVar("T")
Single = Callable[[], AbstractContextManager[sa.Connection]]


class _Joined(threading.local):
    """What a thread does within a transaction of ours."""

    connection: sa.Connection | None = None
    parameters: orm.Session | None = None  # those that were set and are not written yet
    running: set[int]  # the trials whose parameters they are, which have not ended


class SharedStorage(RDBStorage):
    """An RDBStorage that uses only the connections of `engine`, for a statement alone those of `single`.

    Raises:
        SchemaOutdated: Optuna's tables are missing or of another version.
    """

    def __init__(self, engine: sa.Engine, options: dict[str, Any], single: Single) -> None:
        url = engine.url.render_as_string(hide_password=False)
        # Optuna's own check of the version uses two connections at once.
        super().__init__(url, engine_kwargs=options, skip_table_creation=True, skip_compatibility_check=True)
        current = self.get_current_version()
        self.engine.dispose()
        if current != head():
            raise SchemaOutdated(
                f"Optuna's tables are of {current}, this program needs {head()}: run `pernodedrop db init`"
            )
        self.engine = engine
        self.scoped_session = orm.scoped_session(orm.sessionmaker(bind=engine))
        self._single, self._joined = single, _Joined()

    @contextmanager
    def joined(self, connection: sa.Connection) -> Iterator[None]:
        """Join what this thread does with the storage within the block to the connection's transaction.

        Parameters of trials that are set within it are written together, at the latest at its end: each statement waits
        for the server. An error of that ends the transaction.
        """
        assert self._joined.connection is None, "a transaction is joined within another"
        self.scoped_session.remove()
        self.scoped_session(bind=connection, join_transaction_mode="create_savepoint")
        self._joined.connection = connection
        try:
            yield
            self._write_parameters()
        finally:
            if self._joined.parameters is not None:
                self._joined.parameters.close()
            self._joined.connection = self._joined.parameters = None
            self.scoped_session.remove()

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        joined, values = self._joined, (trial_id, param_name, param_value_internal, distribution, previous_distribution)
        if joined.connection is None:
            super()._set_trial_param(*values)
            return
        if joined.parameters is None:
            joined.parameters, joined.running = orm.Session(joined.connection, **_TOGETHER), set()
        if previous_distribution is None or trial_id not in joined.running:
            self._set_trial_param_without_commit(joined.parameters, *values)
            joined.running.add(trial_id)
            return
        # What Optuna does beyond looking for the trial, which is in this transaction already.
        check_distribution_compatibility(previous_distribution, distribution)
        written = {"param_value": param_value_internal, "distribution_json": distribution_to_json(distribution)}
        joined.parameters.add(models.TrialParamModel(trial_id=trial_id, param_name=param_name, **written))

    def _write_parameters(self) -> None:
        if self._joined.parameters is not None:
            self._joined.parameters.commit()

    def get_trial(self, trial_id: int) -> FrozenTrial:
        trial = self._read(lambda connection: read_trial(connection, trial_id))
        if trial is None:
            raise KeyError(f"no trial has the id {trial_id}")
        return trial

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        trials = self._read(
            lambda connection: read_trials(connection, study_id, trial_id_greater_than, included_trial_ids)
        )
        if not trials:
            self.get_study_name_from_id(study_id)  # raises what Optuna raises when there is no such study
        return trials if states is None else [trial for trial in trials if trial.state in states]

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        """Return what one statement reads, in the transaction that is joined if there is one."""
        if self._joined.connection is not None:
            self._write_parameters()
            return read(self._joined.connection)
        with self._single() as connection:
            return read(connection)


class TrialsCache(_CachedStorage):
    """Optuna's cache of ended trials, of the studies that were read last: Optuna's own keeps every trial that it has
    ever read, which a worker that lives for months would not survive."""

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        super()._read_trials_from_remote_storage(study_id)
        with self._lock:
            self._studies[study_id] = self._studies.pop(study_id)  # the last
            while len(self._studies) > MOST_STUDIES:
                first = next(iter(self._studies))
                for number in self._studies.pop(first).trials:
                    trial_id = self._study_id_and_number_to_trial_id.pop((first, number), None)
                    if trial_id is not None:
                        self._trial_id_to_study_id_and_number.pop(trial_id, None)


def read_again(cache: BaseStorage) -> None:
    """Replace the trials in a storage's cache with what the database has now.

    All at once and in place: other threads are using the storage.
    """
    assert isinstance(cache, _CachedStorage)
    with cache._lock:
        fresh = _CachedStorage(cache._backend)
        for study_id in cache._studies:
            with contextlib.suppress(KeyError):  # there is no such study any more
                fresh._read_trials_from_remote_storage(study_id)
        cache._studies = {study_id: info for study_id, info in fresh._studies.items() if info.trials}
        cache._trial_id_to_study_id_and_number = fresh._trial_id_to_study_id_and_number
        cache._study_id_and_number_to_trial_id = fresh._study_id_and_number_to_trial_id
