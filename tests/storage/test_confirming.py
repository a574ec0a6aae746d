"""A confirmation that is asked for later than the study."""

import pytest

from search_spaces import Confirmation
from service.storage import extension, studies
from service.storage.database import Database
from service.storage.endings import close_finished_studies
from service.storage.errors import NotConfirmable, UnknownStudy
from service.storage.records import StudyState
from tests.storage.test_confirmation import confirming, dropconnect, dropout, end, searched

ONCE = Confirmation(top=1, repeats=2)


def test_a_finished_study_is_confirmed_at_once(db: Database) -> None:
    study = searched(db, confirmation=None)
    close_finished_studies(db)
    assert studies.get(db, "found").state is StudyState.COMPLETE
    now = extension.confirm(db, "found", ONCE)
    assert (now.state, now.finished_at, now.definition.confirmation) == (StudyState.RUNNING, None, ONCE)
    assert confirming(db, study) == [(5, "dropout", 0.1), (6, "dropconnect", 0.2)]
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    assert studies.get(db, "found").state is StudyState.COMPLETE


def test_a_search_that_goes_on_is_confirmed_when_it_ends(db: Database) -> None:
    study = searched(db, confirmation=None)
    assert extension.confirm(db, "found", ONCE).confirmation["waiting"] == 0
    close_finished_studies(db)
    assert len(confirming(db, study)) == 2


def test_a_larger_top_confirms_only_what_is_new(db: Database) -> None:
    study = searched(db, confirmation={"top": 1, "repeats": 2})
    close_finished_studies(db)
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    extension.confirm(db, "found", Confirmation(top=2, repeats=2))
    assert [(variant, rate) for _, variant, rate in confirming(db, study)][2:] == [
        ("dropout", 0.2),
        ("dropconnect", 0.1),
    ]


def test_what_cannot_be_confirmed(db: Database) -> None:
    with pytest.raises(UnknownStudy):
        extension.confirm(db, "found", ONCE)
    study = searched(db, confirmation={"top": 1, "repeats": 2})
    close_finished_studies(db)
    with pytest.raises(NotConfirmable, match="others were confirmed under 2 seeds: repeats must be 2"):
        extension.confirm(db, "found", Confirmation(top=2, repeats=5))
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    with pytest.raises(NotConfirmable, match="none of its complete configurations is left to confirm"):
        extension.confirm(db, "found", ONCE)
    assert studies.get(db, "found").state is StudyState.COMPLETE
    extension.confirm(db, "found", Confirmation(top=2, repeats=2))
    studies.set_state(db, "found", "stopped")
    with pytest.raises(NotConfirmable, match="it was stopped for good"):
        extension.confirm(db, "found", Confirmation(top=3, repeats=2))
