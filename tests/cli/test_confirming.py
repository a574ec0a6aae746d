"""The confirmation on a terminal."""

import io
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from service.api.models import BudgetOut, CountsOut, LinksOut, ObjectiveOut, StudyDetail, TrialOut, WinnerOut
from service.cli.results import show_results
from service.cli.snapshot import RunningTrial, Snapshot
from service.cli.views import bars, line
from service.client import Client

WINNER = WinnerOut(
    run=31,
    variant="dropout",
    params={"drop_rate": 0.3},
    metric="test_loss",
    mean=0.1311,
    low=0.1274,
    high=0.1348,
    seeds=5,
    verdict=["dropout wins the confirmation: mean test_loss 0.1311.", "Its lead over [red] may be luck."],
)


def run(number: int | None, **changes: Any) -> TrialOut:
    given: dict[str, Any] = {
        "run": 31,
        "number": number,
        "stage": "search" if number is not None else "confirmation",
        "place": None if number is not None else 4,
        "state": "complete",
        "params": {"drop_rate": 0.3},
        "variant": "dropout",
        "values": [0.1],
        "best_epoch": 2,
        "epoch": 3,
        "epochs": 8,
        "duration_s": 1.0,
        "worker": None,
        "attempts": 1,
        "reason": None,
        "started_at": None,
        "finished_at": None,
        "facts": {},
        "origin": "sampler",
    }
    return TrialOut(**given | changes)


def study(confirmation: CountsOut, state: str = "running", winner: WinnerOut | None = None) -> StudyDetail:
    budget = BudgetOut(
        trials=30, finished=30, elapsed_s=60, wall_time_s=None, device_time_s=None, spent_s=0, patience=None
    )
    return StudyDetail(
        name="digits-1",
        state=state,  # type: ignore[arg-type]
        task="digits",
        priority=0,
        objectives=[ObjectiveOut(metric="val_loss", direction="minimize")],
        created_at=datetime.now(UTC),
        finished_at=None,
        counts=CountsOut(complete=30),
        confirmation=confirmation,
        budget=budget,
        best=run(7),
        winner=winner,
        links=LinksOut(self="", report="", dashboard=""),
        definition={},
        starts_from=None,
    )


CONFIRMING = Snapshot(
    study(CountsOut(waiting=8, running=2, complete=2)), [RunningTrial(run(None, state="running", values=None), 0.25)]
)


def test_a_line_counts_the_confirmation_by_itself() -> None:
    assert line(CONFIRMING).startswith("digits-1: 30/30 runs, 2 of 12 confirming (30 complete, 0 pruned, 2 running)")
    assert "confirming" not in line(Snapshot(study(CountsOut()), []))


def test_bars_show_the_confirmation_and_its_runs() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(bars(CONFIRMING))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("30/30", "confirming", "2/12", "confirmation run 4", "epoch 3 of 8", "val_loss 0.2500", "and 1 more"):
        assert part in text


def test_a_study_in_confirmation_is_not_over() -> None:
    assert not CONFIRMING.over
    assert not Snapshot(study(CountsOut(running=1), "stopped"), []).over
    assert Snapshot(study(CountsOut(cancelled=1), "stopped"), []).over


class Rankless(Client):
    """A controller whose study has no ranking to show."""

    def ranking(self, name: str) -> list[Any]:
        return []


def test_the_end_names_the_winner_of_the_confirmation() -> None:
    console = Console(file=io.StringIO(), width=80)
    with Rankless("http://127.0.0.1:1") as client:
        show_results(console, client, study(CountsOut(complete=2), "complete", WINNER))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "dropout wins the confirmation: mean test_loss 0.1311." in text
    assert "drop_rate        0.3" in text
    assert "Its lead over [red] may be luck." in text  # names of others are text, never markup
    assert "best configuration" not in text
