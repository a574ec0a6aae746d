"""What stands above every page of a study: its name and state, what can be ordered, the ways to its other pages."""

from starlette.requests import Request

from service.dashboard.orders.buttons import buttons
from service.reports.markup import Html, element
from service.storage.records import StudyRecord
from service.web.weights import has_winners_weights

TABS = (("Study", ""),)  # its word, and the path below the study's


def heading(request: Request, study: StudyRecord, here: str) -> Html:
    """The heading of the study's page whose tab has the word `here`."""
    below = f"studies/{study.name}"
    tabs = [element("a", word, href=below + path, aria_current="page" if word == here else None) for word, path in TABS]
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
            element("a", "Trials in Optuna", href=f"dashboard/studies/{study.optuna_study_id}"),
            element("a", "Weights", href=f"{below}/weights") if has_winners_weights(study) else None,
            class_="links",
            aria_label="Pages of the study",
        ),
        class_="heading",
        aria_label="Study",
    )
