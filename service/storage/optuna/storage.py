"""Optuna's storage on our engine: it shares connections, joins transactions on request, and reads quickly."""

import contextlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import orm

from service.storage.errors import SchemaOutdated
from service.storage.optuna.reading import read_trial, read_trials


class SharedStorage(RDBStorage):
    """An RDBStorage that uses only the connections of `engine`.

    Raises:
        SchemaOutdated: Optuna's tables are missing or of another version.
    """

    def __init__(self, engine: sa.Engine, options: dict[str, Any]) -> None:
        url = engine.url.render_as_string(hide_password=False)
        # Optuna's own check of the version uses two connections at once.
        super().__init__(url, engine_kwargs=options, skip_table_creation=True, skip_compatibility_check=True)
        current, head = self.get_current_version(), self.get_head_version()
        self.engine.dispose()
        if current != head:
            raise SchemaOutdated(
                f"Optuna's tables are of {current}, this program needs {head}: run `pernodedrop db init`"
            )
        self.engine = engine
        self.scoped_session = orm.scoped_session(orm.sessionmaker(bind=engine))

    @contextmanager
    def joined(self, connection: sa.Connection) -> Iterator[None]:
        """Join what this thread does with the storage within the block to the connection's transaction."""
        self.scoped_session.remove()
        self.scoped_session(bind=connection, join_transaction_mode="create_savepoint")
        try:
            yield
        finally:
            self.scoped_session.remove()

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with self.scoped_session() as session:
            trial = read_trial(session, trial_id)
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
        with self.scoped_session() as session:
            trials = read_trials(session, study_id, trial_id_greater_than, included_trial_ids)
        if not trials:
            self.get_study_name_from_id(study_id)  # raises what Optuna raises when there is no such study
        return trials if states is None else [trial for trial in trials if trial.state in states]


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
