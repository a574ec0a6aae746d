"""What an open page learns of a study, over HTTP, from the real database."""

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data
from tests.live.listening import page
from tests.live.stepping import Stepper


def test_a_page_learns_of_each_epoch_and_of_the_end(database: Database, dashboard: str) -> None:
    study = studies.create(database, parse_definition(definition_data(trials=2)))
    with page(dashboard, study.name) as opened:
        assert opened.next() == "state"
        assert opened.state["study"]["counts"]["waiting"] == 2
        assert opened.state["ending"] == {"why": "no worker is alive, so nothing is trained"}
        worker = Stepper(database, study)
        run = worker.begin().run_id
        opened.until(lambda page: page.state.get(f"run:{run}", {}).get("number") == 0)
        card = opened.state[f"run:{run}"]
        assert (card["epochs"], card["worker"], card["device"]) == (4, "node-1:4711", "cpu")
        for epoch, loss in ((1, 0.9), (2, 0.7)):
            worker.epoch(epoch, loss)
            opened.until(lambda page, last=[0, epoch, loss]: last in page.state.get(f"curve:{run}", ()))
        assert opened.state[f"curve:{run}"] == [[0, 1, 0.9], [0, 2, 0.7]]
        assert opened.state[f"at:{run}"] == [2, 0.5]
        assert "at" in opened.state["ending"]
        worker.end(RunState.COMPLETE, 0.7)
        opened.until(lambda page: page.state["study"]["best"] is not None)
        assert opened.state["study"]["best"]["value"] == 0.7
        assert f"run:{run}" not in opened.state
        assert [one["text"] for one in opened.state["happened"]] == ["trial 0 is complete: 0.7"]
        assert set(opened.kinds[1:]) == {"change"}
