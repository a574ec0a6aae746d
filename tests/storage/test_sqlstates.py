"""What an error of the database means, read from real ones."""

from collections.abc import Callable
from typing import NoReturn

import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError

from service.storage.database import patience
from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.database.sqlstates import TABLE, Remedy, told, trouble_of
from service.storage.errors import LeaseLost
from service.web.faults import fault_of
from tests.storage.queueing import execute

RAISE = "DO $$ BEGIN RAISE EXCEPTION E'struck\\nagain' USING errcode = '{}'; END $$"


def raised(db: Database, code: str) -> Exception:
    """The error that SQLAlchemy makes of this SQLSTATE."""
    with pytest.raises(sa.exc.DBAPIError) as caught:
        execute(db, RAISE.format(code))
    return caught.value


def striking(db: Database, code: str, times: int) -> Callable[[], int]:
    """A call that meets this error so many times, and returns how often it was made."""
    calls = 0

    def call() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            execute(db, RAISE.format(code))
        return calls

    return call


@pytest.mark.parametrize("code", [key for key in TABLE if len(key) == 5])
def test_a_code_decides(db: Database, code: str) -> None:
    trouble = trouble_of(raised(db, code))
    assert trouble is not None
    assert (trouble.remedy, trouble.state) == TABLE[code]
    assert (trouble.code, trouble.line) == (code, f"struck (SQLSTATE {code})")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        *(("08006", Remedy.WAIT), ("53400", Remedy.WAIT), ("57P01", Remedy.WAIT), ("57P02", Remedy.WAIT)),
        *(("40001", Remedy.AGAIN), ("40P01", Remedy.AGAIN), ("25P03", Remedy.AGAIN), ("0A000", Remedy.AGAIN)),
        *(("23505", Remedy.AGAIN), ("58P01", Remedy.AGAIN), ("XX001", Remedy.AGAIN), ("22P02", Remedy.INPUT)),
        *(("54000", Remedy.INPUT), ("42601", Remedy.OURS), ("P0001", Remedy.OURS), ("F0000", Remedy.OURS)),
    ],
)
def test_else_its_class_does(db: Database, code: str, remedy: Remedy) -> None:
    trouble = trouble_of(raised(db, code))
    assert trouble is not None
    assert trouble.remedy is remedy


def test_errors_that_hide_another_are_looked_through(db: Database) -> None:
    def optunas() -> NoReturn:
        try:
            raise StorageInternalError("during the commit") from raised(db, "53100")
        except StorageInternalError:
            raise ValueError("a sampler's cleanup") from None

    def by_context() -> NoReturn:
        try:
            raise StorageInternalError("during the commit") from raised(db, "53100")
        except StorageInternalError:
            {}["nothing"]
        raise AssertionError

    with pytest.raises(KeyError) as hiding:
        by_context()
    trouble = trouble_of(hiding.value)
    assert trouble is not None
    assert (trouble.code, told(hiding.value)) == ("53100", "the database has a full disk: struck (SQLSTATE 53100)")
    with pytest.raises(ValueError, match="cleanup") as unrelated:
        optunas()
    assert trouble_of(unrelated.value) is None


def test_other_errors_are_none_of_the_databases(db: Database) -> None:
    lost = LeaseLost(1, 2)
    lost.__cause__ = raised(db, "40001")
    assert trouble_of(lost) is None
    assert trouble_of(ValueError("")) is None
    assert told(ValueError("")) == "ValueError"


def test_a_connection_that_is_cut_is_waited_for(db: Database) -> None:
    with pytest.raises(sa.exc.OperationalError) as cut, db.engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    trouble = trouble_of(cut.value)
    assert trouble is not None
    assert trouble.remedy is Remedy.WAIT


@pytest.mark.parametrize(("code", "times"), [("25006", 3), ("XX001", 3), ("42601", 3), ("22P02", 1)])
def test_what_may_succeed_is_tried_again(db: Database, code: str, times: int) -> None:
    assert patiently(striking(db, code, times)) == times + 1


@pytest.mark.parametrize(("code", "calls"), [("54000", 2), ("XX000", 2), ("25006", 2)])
def test_what_stays_is_tried_again_once_at_least(
    db: Database, monkeypatch: pytest.MonkeyPatch, code: str, calls: int
) -> None:
    for name in ("AGAIN_S", "INPUT_S"):
        monkeypatch.setattr(patience, name, 0.0)
    call = striking(db, code, calls)
    with pytest.raises(sa.exc.DBAPIError):
        patiently(call, seconds=0.0)
    assert call() == calls + 1


def test_giving_up_comes_first(db: Database) -> None:
    call = striking(db, "53100", 1)
    with pytest.raises(sa.exc.DBAPIError):
        patiently(call, give_up=lambda: True)
    assert call() == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("53100", "the database has a full disk: make room there, and everything goes on by itself"),
        ("25006", "the database is read-only: try again shortly"),
        ("40P01", "the database has ended a transaction for another: try again shortly"),
        ("57P03", "the database does not answer: try again shortly"),
    ],
)
def test_clients_are_told_when_to_try_again(db: Database, code: str, said: str) -> None:
    fault = fault_of(raised(db, code))
    assert (fault.status, fault.message, fault.headers) == (503, said, {"Retry-After": "5"})


@pytest.mark.parametrize("code", ["42601", "22003", "54000"])
def test_a_wrong_statement_is_a_bug(db: Database, code: str) -> None:
    error = raised(db, code)
    with pytest.raises(sa.exc.DBAPIError) as again:
        fault_of(error)
    assert again.value is error
