"""The confirmation on a terminal."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from service.api.models import (
    BudgetOut,
    ConfirmedOut,
    CountsOut,
    LinksOut,
    ObjectiveOut,
    Ranking,
    RecommendedOut,
    StudyDetail,
    TrialOut,
    WinnerOut,
)
from service.cli.confirmed import confirmation_table
from service.cli.results import show_results
from service.cli.snapshot import RunningTrial, Snapshot
from service.cli.views import bars, line
from service.client import Client
from tests.cli.test_views import rendered

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
        "first_seed": None,
        "seeds": None,
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


CONFIGURATIONS = [
    ConfirmedOut(
        run=31 + place,
        variant=variant,
        params={"regularizer": "any", "drop_rate": 0.3, "batch_size": 64},
        metric="test_loss",
        seeds=10,
        mean=0.06677,
        low=0.04746,
        high=0.08607,
        difference=0.0012 if place else None,
        difference_low=-0.00286 if place else None,
        difference_high=0.00551 if place else None,
        seeds_won=4 if place else None,
    )
    for place, variant in enumerate(["pernodedrop-partial_gaussian-dynamic", "[red]"])
]
RECOMMENDED = RecommendedOut(
    run=31,
    variant="dropout",
    params={"drop_rate": 0.3},
    why="dropout, the winner of the confirmation.",
    fixed="fixed:\n  drop_rate: 0.3",
)


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
        recommended=None if winner is None else RECOMMENDED,
        confirmed=[] if winner is None else CONFIGURATIONS,
        advice="To find out: `pernodedrop confirm digits-1`." if winner is None else None,
        links=LinksOut(self="", report="", dashboard=""),
        definition={"search_space": {"regularizer": {}, "drop_rate": {}}},
        starts_from=None,
    )


CONFIRMING = Snapshot(
    study(CountsOut(waiting=8, running=2, complete=2)), [RunningTrial(run(None, state="running", values=None), 0.25)]
)


def test_a_line_counts_the_confirmation_by_itself() -> None:
    assert line(CONFIRMING).startswith("digits-1: 30/30 runs, 2 of 12 confirming (30 complete, 0 pruned, 2 running)")
    assert "confirming" not in line(Snapshot(study(CountsOut()), []))


def test_a_line_says_that_rounds_may_come() -> None:
    rounds = {"confirmation": {"until": "decided", "most_repeats": 30}}
    deciding = Snapshot(CONFIRMING.study.model_copy(update={"definition": rounds}), ())
    assert "2 of 12 confirming, until decided or 30 seeds (30 complete" in line(deciding)


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

    def ranking(self, name: str) -> Ranking:
        return Ranking(ranking=[])


def test_the_end_names_the_winner_of_the_confirmation() -> None:
    console = Console(file=io.StringIO(), width=80)
    with Rankless("http://127.0.0.1:1") as client:
        show_results(console, client, study(CountsOut(complete=2), "complete", WINNER))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "dropout wins the confirmation: mean test_loss 0.1311." in text
    assert "  drop_rate: 0.3" in text
    assert "Its lead over [red] may be luck." in text  # names of others are text, never markup
    assert "search's best" not in text


def test_the_end_shows_the_confirmation_in_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, markup=False)
    with Rankless("http://127.0.0.1:1") as client:
        show_results(console, client, study(CountsOut(complete=2), "complete", WINNER))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    lines = text.splitlines()
    first = next(place for place, row in enumerate(lines) if row.startswith("pernodedrop-partial_gaussian-dynamic"))
    assert [row.split() for row in lines[first : first + 4]] == [
        ["pernodedrop-partial_gaussian-dynamic", "0.0668", "of", "10"],
        ["drop_rate", "0.3", "0.0475", "to", "0.0861"],
        ["[red]", "0.0668", "+0.0012", "4", "of", "10"],
        ["drop_rate", "0.3", "0.0475", "to", "0.0861", "-0.0029", "to", "+0.0055"],
    ]
    assert max(map(len, lines[: first + 4])) <= 80
    assert text.endswith(
        "recommended configuration: dropout, the winner of the confirmation.\nfixed:\n  drop_rate: 0.3\n"
    )


@pytest.mark.parametrize(
    ("scale", "mean", "difference"), [(1e-5, "6.68e-07", "+1.2e-08"), (1e-12, "6.68e-14", "+1.2e-15")]
)
def test_small_losses_keep_three_digits(scale: float, mean: str, difference: str) -> None:
    numbers = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    rows = [
        one.model_copy(update={name: value * scale for name in numbers if (value := getattr(one, name)) is not None})
        for one in CONFIGURATIONS
    ]
    text = rendered(confirmation_table(study(CountsOut(), "complete", WINNER).model_copy(update={"confirmed": rows})))
    assert text.split().count(mean) == 2
    assert difference in text.split()


def test_a_lead_that_is_certain_is_not_shown_as_none() -> None:
    lead = {"difference": 0.00003, "difference_low": 0.00001, "difference_high": 0.00004}
    rows = [CONFIGURATIONS[0], CONFIGURATIONS[1].model_copy(update=lead)]
    shown = study(CountsOut(), "complete", WINNER).model_copy(update={"confirmed": rows})
    assert "+1e-05 to +4e-05" in rendered(confirmation_table(shown))


def test_a_decided_confirmation_s_differences_are_to_the_best_of_the_others() -> None:
    decided = study(CountsOut(), "complete", WINNER.model_copy(update={"outcome": "winner"}))
    fixed = study(CountsOut(), "complete", WINNER)
    assert "to the best" in rendered(confirmation_table(decided))
    assert "to the first" in rendered(confirmation_table(fixed))


def test_without_a_confirmation_nothing_is_recommended() -> None:
    console = Console(file=io.StringIO(), width=120)
    with Rankless("http://127.0.0.1:1") as client:
        show_results(console, client, study(CountsOut(), "complete"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "the search's best: trial 7, dropout" in text
    assert "the search alone recommends nothing. To find out: `pernodedrop confirm digits-1`." in text
    assert "recommended configuration" not in text
