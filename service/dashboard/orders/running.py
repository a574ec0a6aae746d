"""Orders on whether a study runs."""

from collections.abc import Callable, Mapping

from service.dashboard.orders.order import Order
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import StudyState
from service.storage.studies import studies
from service.web.forms import Form


def _set(state: studies.Intention, said: str) -> Callable[[Database, Mapping[str, str], Form], str]:
    def do(database: Database, about: Mapping[str, str], _: Form) -> str:
        studies.set_state(database, about["name"], state)
        return said

    return do


PAUSE = Order[StudyRecord](
    "pause",
    "Pause",
    "No further run begins; runs in training go on to their end.",
    lambda study: study.state == StudyState.RUNNING,
    _set("paused", "Paused: no further run begins, and runs in training go on to their end."),
)
RESUME = Order[StudyRecord](
    "resume",
    "Resume",
    "Runs begin again.",
    lambda study: study.state == StudyState.PAUSED and study.finished_at is None,
    _set("running", "Resumed: runs begin again."),
    starts_runs=True,
)
STOP = Order[StudyRecord](
    "stop",
    "Stop",
    "The study ends for good: waiting and paused runs are cancelled, and runs in training end at their next epoch.",
    lambda study: study.state in (StudyState.RUNNING, StudyState.PAUSED) and study.finished_at is None,
    _set("stopped", "Stopped: waiting and paused runs are cancelled, and runs in training end at their next epoch."),
    takes_away=True,
)
