"""The queue as a table: every study that has not ended, in the order in which the fleet serves them, and why."""

from service.reports.markup import Html, element
from service.reports.words.wording import DASH, number, plural
from service.storage.fleet.queue import Queue, QueuedStudy, Standing

HEADER = ("Study", "Priority", "Waiting", "Running", "Finished", "Share of the fleet", "Its next run")
NUMBERS = range(1, 6)  # columns


def queue_table(queue: Queue) -> Html:
    """The table with its heading; a sentence where the queue is empty."""
    heading = element("h2", "Queue")
    if not queue.studies:
        return element("section", heading, element("p", "Every study has ended.", class_="card empty"), class_="part")
    head = element("tr", *(element("th", word, class_=_kind(column)) for column, word in enumerate(HEADER)))
    highest = max((one.priority for one in queue.studies if one.standing is Standing.NEXT), default=None)
    rows = [_row(study, queue.training, highest) for study in queue.studies]
    left = queue.total - len(queue.studies)
    return element(
        "section",
        heading,
        element(
            "p",
            "The highest priority is served first; among equals the study with the fewest running runs, then the "
            "oldest.",
            class_="hint",
        ),
        element(
            "div",
            element("table", element("thead", head), element("tbody", *rows)),
            element("p", f"and {plural(left, 'study').replace('studys', 'studies')} more", class_="quiet")
            if left > 0
            else None,
            class_="card scroll",
            tabindex="0",
            role="region",
            aria_label="Queue by study",
        ),
        class_="part",
    )


def _row(study: QueuedStudy, training: int, highest: int | None) -> Html:
    own = study.standing is Standing.OWN_LOOP
    share = DASH if own or training == 0 else f"{study.running / training:.0%}"
    cells = (
        element("a", study.name, href=f"studies/{study.name}"),
        number(study.priority),
        number(study.waiting),
        number(study.running),
        number(study.finished),
        share,
        _standing(study, highest),
    )
    return element("tr", *(element("td", cell, class_=_kind(column)) for column, cell in enumerate(cells)))


def _standing(study: QueuedStudy, highest: int | None) -> Html:
    word = {Standing.AFTER_OTHERS: "waits", Standing.ALL_TRAINING: "trains"}.get(study.standing, study.standing.value)
    return element(
        "span",
        element("span", word, class_=f"pill {word.split()[0]}"),
        " ",
        element("span", _why(study, highest), class_="quiet"),
    )


def _why(study: QueuedStudy, highest: int | None) -> str:
    comes_after = "studies with fewer running runs, or older ones, come first"
    if highest is not None and study.priority < highest:
        comes_after = f"studies of priority {highest} come first"
    return {
        Standing.NEXT: "whoever is free takes a run of it",
        Standing.AFTER_OTHERS: comes_after,
        Standing.HELD_UP: f"{_held_up_by(study)} runs that have not ended",
        Standing.ALL_TRAINING: "none of its runs waits",
        Standing.PAUSED: study.why or "until it is resumed",
        Standing.ENDING: study.why or "its time is over",
        Standing.OWN_LOOP: "its own loop takes them, no worker of the fleet",
    }[study.standing]


def _held_up_by(study: QueuedStudy) -> str:
    return f"lag {study.lag}: it follows" if study.lag is not None else f"{study.paused} paused: they are compared with"


def _kind(column: int) -> str | None:
    return "number" if column in NUMBERS else None
