"""The bars and lines of a snapshot that was made by hand."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType

from service.api.models import (
    BudgetOut,
    CountsOut,
    CurvePointOut,
    FrontRow,
    LinksOut,
    ObjectiveOut,
    Ranking,
    RankingRow,
    StudyDetail,
    TrialDetail,
    TrialOut,
)
from service.cli.continuation import free_name
from service.cli.results import front_table, ranking_table
from service.cli.snapshot import RunningTrial, Snapshot, last_value
from service.cli.trials import facts_table
from service.cli.views import bars, budgeted, clock, line, measured, setting


def trial(number: int, variant: str, value: float | None = None, epoch: int = 3) -> TrialOut:
    return TrialOut(
        stage="search",
        place=None,
        first_seed=None,
        seeds=None,
        run=number,
        number=number,
        state="running" if value is None else "complete",
        params={"drop_rate": 0.30000000000000004},
        variant=variant,
        values=None if value is None else [value],
        best_epoch=None,
        epoch=epoch,
        epochs=8,
        duration_s=None,
        worker=None,
        attempts=1,
        reason=None,
        started_at=None,
        finished_at=None,
        facts={},
        origin="sampler",
    )


def study(counts: CountsOut, best: TrialOut | None, state: str = "running") -> StudyDetail:
    return StudyDetail.model_validate(
        {
            "name": "digits-1",
            "state": state,
            "task": "digits",
            "priority": 0,
            "objectives": [ObjectiveOut(metric="val_loss", direction="minimize")],
            "created_at": datetime.now(UTC),
            "finished_at": None,
            "counts": counts,
            "budget": BudgetOut(
                trials=30,
                finished=0,
                elapsed_s=3723.9,
                wall_time_s=None,
                device_time_s=None,
                spent_s=0.0,
                patience=None,
            ),
            "confirmation": CountsOut(),
            "best": best,
            "winner": None,
            "links": LinksOut(self="", report="", dashboard=""),
            "definition": {"fixed": {"batch_size": 64}},
            "starts_from": None,
        }
    )


def rendered(what: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


BUSY = Snapshot(
    study(CountsOut(waiting=16, running=3, complete=9, pruned=1, failed=1), trial(7, "dropout", 0.2035)),
    [RunningTrial(trial(12, "pernodedrop-gaussian-fixed"), 0.25), RunningTrial(trial(13, "[red]", epoch=0), None)],
)


def test_a_line_tells_everything() -> None:
    assert line(BUSY) == (
        "digits-1: 11/30 runs (9 complete, 1 pruned, 3 running, 1 failed), "
        "search's best val_loss 0.2035 by dropout (trial 7), running, 1:02:03"
    )


def test_a_run_at_a_rung_has_not_ended() -> None:
    counts = CountsOut(waiting=16, running=1, paused=9, complete=1, pruned=3)
    found = Snapshot(study(counts, None), [])
    assert line(found).startswith("digits-1: 4/30 runs (1 complete, 3 pruned, 1 running, 9 paused), ")
    assert "4/30" in rendered(bars(found))


def test_where_epochs_are_budgeted_those_that_are_spent_are_counted() -> None:
    found = study(CountsOut(waiting=50, running=2, complete=1, pruned=3), None)
    epochs = found.model_copy(
        update={"budget": found.budget.model_copy(update={"epochs": 1500, "booked_epochs": 1024})}
    )
    said = "1 complete, 3 pruned, 2 running, 1,024 of 1,500 epochs taken"
    assert said in line(Snapshot(epochs, []))
    assert said in rendered(bars(Snapshot(epochs, [])))
    assert "epochs" not in line(Snapshot(found, []))


def test_bars_show_the_study_and_each_running_trial() -> None:
    text = rendered(bars(BUSY))
    for part in (
        "11/30",
        "1:02:03",
        "trial 12  pernodedrop-gaussian-fixed",
        "epoch 3 of 8",
        "val_loss 0.2500",
        "[red]",  # names of others are text, never markup
        "epoch 0 of 8",
        "val_loss -",
        "and 1 more",
    ):
        assert part in text
    assert "more" not in rendered(bars(Snapshot(BUSY.study, [])))


@pytest.mark.parametrize(
    ("state", "running", "over"),
    [("running", 0, False), ("paused", 0, False), ("stopped", 1, False), ("stopped", 0, True), ("complete", 0, True)],
)
def test_a_study_is_over_when_nothing_can_change(state: str, running: int, over: bool) -> None:
    assert Snapshot(study(CountsOut(running=running), None, state), []).over is over


def test_the_last_value_is_the_newest_of_the_metric() -> None:
    points = [
        CurvePointOut(epoch=epoch, repeat=repeat, split=split, metric=metric, value=value)
        for epoch, repeat, split, metric, value in [
            (1, 1, "val", "loss", 0.1),
            (8, 0, "val", "loss", 0.2),
            (2, 1, "val", "accuracy", 0.3),
            (2, 1, "train", "loss", 0.4),
        ]
    ]
    assert last_value(points, "val_loss") == 0.1
    assert last_value(points, "val_accuracy") == 0.3
    assert last_value(points, "test_loss") is None


def test_the_ranking_shows_searched_settings_where_there_is_room() -> None:
    rows = [
        RankingRow(
            rank=rank,
            variant=variant,
            trials=4,
            pruned=1,
            best_values=values,
            mean_of_top=values and values[0],
            best_params={"regularizer": "pernodedrop", "drop_rate": 0.30000000000000004, "batch_size": 64},
            best_number=1,
            begun=5,
            epochs=40,
            few=False,
        )
        for rank, variant, values in ((1, "pernodedrop-partial_gaussian-dynamic", [0.2]), (2, "dropout", None))
    ]
    wide = rendered(ranking_table(BUSY.study, rows))
    assert "pernodedrop-partial_gaussian-dynamic" in wide
    assert "0.2000" in wide
    assert "drop_rate 0.3" in wide
    assert "batch_size" not in wide
    narrow = rendered(ranking_table(BUSY.study, rows, with_settings=False), width=80)
    assert "pernodedrop-partial_gaussian-dynamic" in narrow
    assert "drop_rate" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_the_front_shows_every_objective() -> None:
    names = {"val_loss": "minimize", "val_accuracy": "maximize", "train_seconds": "minimize"}
    objectives = [ObjectiveOut.model_validate({"metric": name, "direction": way}) for name, way in names.items()]
    of_three = BUSY.study.model_copy(update={"objectives": objectives})
    variant = "pernodedrop-partial_gaussian-dynamic"
    rows = [FrontRow(number=n, variant=variant, values=[0.2, 0.9, n], params={"drop_rate": 0.25}) for n in range(40)]
    found = Ranking(ranking=[], front=rows, on_front=75)
    shown = rendered(front_table(of_three, found))
    assert "Pareto front, the first 20 of 75 trials" in shown
    for part in (variant, "0.2000", "0.9000", "19.00", "drop_rate 0.25"):
        assert part in shown
    assert max(map(len, rendered(front_table(of_three, found), width=80).splitlines())) <= 80


def test_numbers_are_written_alike() -> None:
    assert [measured(v) for v in (None, 0.2, 12.0, 1e-5)] == ["-", "0.2000", "12.00", "1.000e-05"]
    assert [setting(v) for v in (0.30000000000000004, 64, "relu", True)] == ["0.3", "64", "relu", "True"]
    assert clock(59.9) == "0:00:59"


@pytest.mark.parametrize(
    ("taken", "free"),
    [(set(), "a"), ({"a"}, "a-2"), ({"a", "a-2", "a-4"}, "a-3"), ({"b"}, "a"), ({"a", "a-2", "a-3"}, "a-4")],
)
def test_the_first_free_name_is_taken(taken: set[str], free: str) -> None:
    assert free_name("a", taken) == free


def test_a_trial_says_where_it_comes_from() -> None:
    begun = {**trial(3, "dropout", 0.5).model_dump(), "facts": {"backend": "mask"}, "history": [], "curves": []}
    known = {"seeds": {"study": 7, "first": 0, "count": 2}, "packages": {"torch": "2.13.0"}}
    assert "seeds      study 7, first 0, count 2" in rendered(facts_table(TrialDetail(**begun, provenance=known)))
    assert "provenance  not recorded" in rendered(facts_table(TrialDetail(**begun, provenance=None)))


@pytest.mark.parametrize(("epochs", "said"), [(None, "40 runs"), (1200, "at most 40 runs with 1,200 epochs in all")])
def test_runs_that_share_epochs_may_be_fewer(epochs: int | None, said: str) -> None:
    assert budgeted(40, epochs) == said
