"""Several studies side by side, as far as they measure the same."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from pernodedrop.near import did_you_mean
from service.dashboard.shell import page
from service.dashboard.trials.side_by_side import comparison_of
from service.dashboard.trials.summary import Summary, summary
from service.reports.markup import Html, element, with_commands
from service.reports.words.wording import listing
from service.storage.database.database import Database
from service.storage.errors import UnknownStudy
from service.storage.studies import names, studies
from service.web.reports import Reports

FEWEST, MOST = 2, 8  # studies
LISTED = 40  # studies that the form offers by boxes: the newest
LONGEST = 2_000  # characters of names
RULE = f"a comparison takes {FEWEST} to {MOST} studies"


def compare(request: Request) -> Response:
    database: Database = request.app.state.database
    asked = _asked(request)
    found, complaints = _found(database, request.app.state.reports, asked[:MOST])
    if len(asked) > MOST:
        complaints.append(f"{RULE}, got {len(asked)}: the first {MOST} are shown")
    body = comparison_of(found) if len(found) >= FEWEST else []
    said = [element("p", with_commands(complaint), class_="complaint", role="alert") for complaint in complaints]
    form = _form(database, asked)
    below = element("details", element("summary", "Other studies"), form, class_="card")
    return page(
        request,
        f"{listing([one.name for one in found])} compared" if body else "Compare studies",
        element(
            "main",
            element("div", element("h1", "Compare studies"), class_="title"),
            *said,
            *([*body, below] if body else [form]),
            class_="compare",
        ),
        styles=["trials.css"],
        status=422 if complaints and not body else 200,
    )


def _asked(request: Request) -> list[str]:
    """The names in the address: several fields, or several names in one."""
    text = ",".join(request.query_params.getlist("study"))[:LONGEST]
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _found(database: Database, reports: Reports, asked: Sequence[str]) -> tuple[list[Summary], list[str]]:
    """The studies that there are, and a line about each that there is not."""
    found, complaints = [], []
    for name in asked:
        try:
            found.append(summary(reports, name))
        except UnknownStudy as error:
            complaints.append(_with_near(database, error))
    return found, complaints


def _with_near(database: Database, error: UnknownStudy) -> str:
    with database.engine.connect() as connection:
        return f"{error}: {did_you_mean(error.name, names.of_studies(connection), 'choose one of those below')}"


def _form(database: Database, asked: Sequence[str]) -> Html:
    newest = [study.name for study in studies.page(database, LISTED)]
    boxes = [
        element(
            "label",
            element("input", type="checkbox", name="study", value=name, checked=name in asked),
            element("span", name),
        )
        for name in newest
    ]
    others = [name for name in asked if name not in newest]
    field = element(
        "input",
        type="text",
        name="study",
        value=", ".join(others),
        maxlength=str(LONGEST),
        placeholder="names, by commas",
        autocomplete="off",
        spellcheck="false",
    )
    return element(
        "form",
        element("fieldset", element("legend", f"Choose {FEWEST} to {MOST}"), *boxes) if boxes else None,
        element("label", "Others by name", field),
        element("button", "Compare", type="submit"),
        method="get",
        action="compare",
        class_="card choose",
    )
