"""What stands above every page of a study: its name and state, what can be ordered, the ways to its other pages."""

from collections.abc import Sequence

from starlette.requests import Request

from service.dashboard.orders.buttons import buttons
from service.reports.markup import Html, element
from service.storage.records import StudyRecord
from service.web.access import Role, caller_of
from service.web.weights import has_winners_weights

# Its word, the path below the study's, and the role that it takes; None: a link that shows the study opens it too.
TABS: Sequence[tuple[str, str, Role | None]] = (
    ("Study", "", None),
    ("Trials", "/trials", None),
    ("Audit", "/audit", Role.READ),
    ("Links", "/links", Role.SUBMIT),
)


def heading(request: Request, study: StudyRecord, here: str) -> Html:
    """The heading of the study's page whose tab has the word `here`."""
    below = f"studies/{study.name}"
    caller = caller_of(request)
    is_shared = caller.study is not None  # by a link, which opens few pages
    tabs = [
        element("a", word, href=below + path, aria_current="page" if word == here else None)
        for word, path, role in TABS
        if role is None or caller.may(role)
    ]
    return element(
        "section",
        element(
            "div",
            element("a", study.name, href=below, class_="name"),
            element("span", study.state, class_=f"pill {study.state}"),
            class_="which",
        ),
        buttons(request, study),
        element(
            "nav",
            *tabs,
            None if is_shared else element("a", "Trials in Optuna", href=f"dashboard/studies/{study.optuna_study_id}"),
            element("a", "Weights", href=f"{below}/weights") if has_winners_weights(study) and not is_shared else None,
            class_="links",
            aria_label="Pages of the study",
        ),
        class_="heading",
        aria_label="Study",
    )
