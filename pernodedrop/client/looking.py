"""Looking at a study: until it is over, at its trials, and as a notebook shows it."""

from pernodedrop.client import operations
from pernodedrop.client.answers import Details, RunState
from pernodedrop.client.connection import Connection
from pernodedrop.client.errors import Refused, Unreachable
from pernodedrop.client.frames import Trials
from pernodedrop.client.html import picture, text
from pernodedrop.client.patience import IN_TRAINING, logger, patiently
from pernodedrop.client.progress import Show
from pernodedrop.client.showing import html
from pernodedrop.client.wire import Pause, Steps

LOOK = 0.5  # s between two looks at a study that is waited for


def waiting(name: str, show: Show) -> Steps[Details]:
    """Look at the study until it is over, or has paused itself and waits for somebody to mend what it fails by."""
    while True:
        study = yield from patiently(lambda: operations.study(name), IN_TRAINING)
        show(study)
        if study.has_paused_itself:
            remedy = f"mend it, then `pernodedrop retry {name}`, or resume() it"
            logger.warning("%s has paused itself: %s; %s", name, study.pause, remedy)
        if study.is_over or study.has_paused_itself:
            return study
        yield Pause(LOOK)


def trials(name: str, state: RunState | None) -> Steps[Trials]:
    """The study's runs, with the names of their values."""
    study = yield from operations.study(name)
    return Trials((yield from operations.trials(name, state)), study.objectives)


def as_html(connection: Connection, name: str) -> str:
    """The study as a notebook shows it; where it cannot be had, why."""
    try:
        return connection.run(_html(name))
    except (Unreachable, Refused) as error:
        return f"<p>{text(name)}: {text(error)}</p>"


def _html(name: str) -> Steps[str]:
    study = yield from operations.study(name)
    ranking = yield from operations.ranking(name)
    pictures = []
    if study.confirmed:
        try:
            figures = {one.name: one.caption for one in (yield from operations.figures(name))}
            if "confirmation" in figures:
                svg = yield from operations.file(name, "figures", "confirmation.svg")
                pictures.append(picture(svg, figures["confirmation"]))
        except Refused as error:
            if error.error != "missing_package":  # the controller cannot draw: the tables say the same
                raise
    return html(study, ranking.ranking, pictures)
