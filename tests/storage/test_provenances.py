"""Where a run comes from: written under the lease, once for all runs that share it."""

import pytest

from service.storage.database.database import Database
from service.storage.errors import LeaseLost
from service.storage.provenance import checked, digest_of, varying
from service.storage.runs import holding
from service.storage.states import Stage
from service.storage.studies import provenances, studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed

OURS = {"packages": {"torch": "2.13.0"}, "run": {"threads": 1}}
OTHERS = {"packages": {"torch": "2.12.0"}, "run": {"threads": 1}}


def test_runs_share_what_they_come_from_and_only_holders_write_it(db: Database) -> None:
    study = studies.create(db, make_definition("s", repeats=3, seed=7))
    first, second = claimed(db), claimed(db)
    for lease in (first, second):
        holding.note_facts(db, lease, {"backend": "mask"}, OURS)
    assert provenances.of_study(db, study.id) == {digest_of(OURS): OURS}

    holding.hand_back(db, first)
    heir = claimed(db)
    assert heir.run_id == first.run_id
    with pytest.raises(LeaseLost):
        holding.note_facts(db, first, {"backend": "mask"}, OTHERS)
    assert provenances.of_study(db, study.id) == {digest_of(OURS): OURS}  # the refused one's is not there
    holding.note_facts(db, heir, {"backend": "mask", "resumed_after_epoch": 2}, OTHERS)

    runs = trials.page(db, study, stage=Stage.SEARCH)
    assert [run.provenance for run in runs] == [digest_of(OTHERS), digest_of(OURS), None, None]
    assert runs[0].facts == {"backend": "mask", "resumed_after_epoch": 2, "begun_under": digest_of(OURS)}
    assert provenances.of_run(db, study.definition, runs[1]) == {"seeds": {"study": 7, "first": 0, "count": 3}, **OURS}
    assert provenances.of_run(db, study.definition, runs[2]) is None
    assert provenances.of_study(db, study.id) == {digest_of(each): each for each in (OURS, OTHERS)}
    assert varying([OURS, OTHERS]) == {("packages", "torch"): ["2.13.0", "2.12.0"]}


TOO_MANY = {"a": dict.fromkeys((f"b{number}" for number in range(99)), 1)}
NOT_FACTS = ([], {"a": 1}, {"a": {"b": 1.5}}, {"a": {"b": True}}, {"a": {"b": 2**60}}, {"a b": {}}, TOO_MANY)


@pytest.mark.parametrize("content", NOT_FACTS)
def test_a_trial_process_can_say_nothing_else(content: object) -> None:
    with pytest.raises(ValueError, match="provenance"):
        checked(content)
    assert checked({"a": {"b": "NUL \0\n"}}) == {"a": {"b": "NUL \\0"}}
