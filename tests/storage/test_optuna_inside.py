"""The private parts of Optuna that service/storage/optuna uses, which any release may change."""

import inspect

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.optuna import statements
from service.storage.optuna.storage import SharedStorage
from service.storage.optuna.trials import fail, id_of, open_trial, reason_of, should_prune
from service.storage.studies import studies

CHECKED_AGAINST = "5.0.0"

COLUMNS = {
    "studies": {"study_id"},
    "trials": {"trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"},
    "trial_params": {"param_id", "trial_id", "param_name", "param_value", "distribution_json"},
    "trial_values": {"trial_id", "objective", "value", "value_type"},
    "trial_user_attributes": {"trial_id", "key", "value_json"},
    "trial_system_attributes": {"trial_id", "key", "value_json"},
    "trial_intermediate_values": {"trial_id", "step", "intermediate_value", "intermediate_value_type"},
    "trial_heartbeats": {"trial_id"},
}


def test_the_installed_optuna_is_the_one_that_was_checked() -> None:
    assert optuna.__version__ == CHECKED_AGAINST, (
        f"Optuna {optuna.__version__} is installed, and service/storage/optuna was checked against {CHECKED_AGAINST}: "
        "compare what that folder uses (the tests below name it) with the new release's source, run tests/storage, "
        "tests/workers and tests/search_spaces, then write the new version into CHECKED_AGAINST"
    )


def test_our_statements_know_the_tables(db: Database) -> None:
    found = sa.inspect(db.engine)
    for table, wanted in COLUMNS.items():
        assert wanted <= {column["name"] for column in found.get_columns(table)}, table
    parts = {name.removeprefix("trial_") for name in found.get_table_names() if name.startswith("trial_")}
    assert parts == set(statements._PARTS)  # what a deletion must not leave behind


def test_a_trial_has_the_private_names(db: Database, definition: StudyDefinition) -> None:
    record = studies.create(db, definition)
    study = optuna.load_study(study_name="storage", storage=db.optuna, pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    assert id_of(study) == record.optuna_study_id
    asked = study.ask()
    assert hasattr(study._thread_local, "cached_all_trials")
    trial = open_trial(study, asked._trial_id)
    assert isinstance(trial, Trial)
    assert not should_prune(trial, 1, 0.5)
    assert should_prune(trial, 2, 1.5)
    fail(db, asked._trial_id, "no longer\nwanted")
    told = db.optuna.get_trial(asked._trial_id)
    assert (told.state, reason_of(told)) == (TrialState.FAIL, "no longer wanted")


@pytest.mark.parametrize("name", ["_get_trials", "get_trial", "remove_session"])
def test_what_our_storage_overrides_or_calls_is_there(name: str) -> None:
    theirs, ours = getattr(RDBStorage, name), getattr(SharedStorage, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
