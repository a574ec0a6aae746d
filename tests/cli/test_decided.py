"""A confirmation that goes on until it is decided, on a terminal."""

import io

from rich.console import Console

from service.api.models import CountsOut, ExaminationOut
from service.cli.examinations import examinations_table
from service.cli.results import show_results
from service.cli.snapshot import Snapshot
from service.cli.views import bars
from tests.cli.test_confirming import Rankless, study
from tests.cli.test_views import rendered

SO_FAR = "Not decided yet: 3 of 9 left after 7 seeds."


def test_a_terminal_says_where_it_stands() -> None:
    going_on = study(CountsOut(complete=9, waiting=3)).model_copy(update={"confirmation_so_far": SO_FAR})
    assert SO_FAR in rendered(bars(Snapshot(going_on, [])))
    assert "decided" not in rendered(bars(Snapshot(study(CountsOut(complete=9)), [])))


def test_the_results_say_it_too() -> None:
    console = Console(file=io.StringIO(), width=80)
    going_on = study(CountsOut(complete=9, waiting=3)).model_copy(update={"confirmation_so_far": SO_FAR})
    with Rankless("http://127.0.0.1:1") as client:
        show_results(console, client, going_on)
    assert SO_FAR in console.file.getvalue()  # type: ignore[attr-defined]


def test_examinations_of_several_runs_are_means_over_the_seeds_of_one_configuration() -> None:
    def examined(run_id: int, configuration: int, seed: int, accuracy: float) -> ExaminationOut:
        return ExaminationOut(
            run=run_id,
            place=run_id,
            configuration=configuration,
            variant="dropout",
            repeat=0,
            seed=seed,
            epoch=2,
            inputs="test",
            kind="test",
            level=0,
            passes=20,
            outputs="softmax",
            figures={"accuracy": accuracy},
        )

    found = [examined(0, 0, 1, 0.5), examined(1, 1, 1, 0.25), examined(2, 0, 2, 1.0)]
    rows = [line.split() for line in rendered(examinations_table(found)).splitlines() if "test" in line]
    assert [row[:4] for row in rows] == [["test", "2", "20", "0.7500"], ["test", "1", "20", "0.2500"]]
