"""A stopped trial's worker waits for it within bounds, and says what went wrong."""

from collections.abc import Iterator

import pytest

from tests.workers.conftest import until
from tests.workers.test_isolation import order
from workers.runs import stopping
from workers.trial.messages import Started
from workers.trial.process import TrialProcess


@pytest.fixture
def begun() -> Iterator[TrialProcess]:
    process = TrialProcess("cpu", 1)
    yield process
    process.kill()


def never() -> float:
    return float("inf")


@pytest.mark.parametrize("ends", ["the run is over", "the time is used up"])
def test_a_trial_that_hangs_before_its_checkpoint_is_given_up(
    begun: TrialProcess, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    begun.order(order("Hangs", mode="for ever"))
    until(lambda: isinstance(begun.listen(0.2), Started))
    is_over = ends == "the run is over"
    if not is_over:
        monkeypatch.setattr(stopping, "KEEP_S", 1.0)
    assert stopping.stopped(begun, 1, lambda: is_over, never, keep=True) is False


def test_a_trial_that_fails_instead_of_keeping_its_checkpoint_is_logged(
    begun: TrialProcess, caplog: pytest.LogCaptureFixture
) -> None:
    begun.order(order("Raises", run=4, mode="BaseException: base"))
    assert stopping.stopped(begun, 4, lambda: False, never, keep=True)
    [line] = caplog.messages
    assert line.startswith("run 4 could not keep its checkpoint: BaseException: base\nTraceback")
