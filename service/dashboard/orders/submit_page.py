"""The page of a submission, as it looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from search_spaces import SCALES, preset_names
from search_spaces.yaml_text import NotYaml, read_yaml
from service.dashboard.orders.fields import form_part
from service.dashboard.orders.looking import FULL, Flaw
from service.dashboard.orders.sheet import hidden
from service.dashboard.shell import page
from service.reports.markup import Html, element, with_commands

SCALE_WORDS = {
    "full": "Full: as it is written",
    "medium": "Medium: hours on two cores",
    "small": "Small: minutes on two cores",
}


@dataclass(frozen=True)
class Shown:
    """What the page shows."""

    text: str
    scale: str = FULL
    preset: str | None = None  # the one that the text is
    flaws: Sequence[Flaw] = field(default_factory=list)
    is_form_open: bool = False


def submit_page(request: Request, shown: Shown, status: int = 200) -> Response:
    """The page with a text, and with why it was refused."""
    return page(
        request,
        "Submit a study",
        element(
            "main",
            element("div", element("h1", "Submit a study"), class_="title"),
            _sources(shown),
            _editor(request, shown),
            class_="submit",
        ),
        styles=["submit.css"],
        scripts=["submit.js"],
        status=status,
    )


def _sources(shown: Shown) -> Html:
    """What fills the text without typing: a preset. A form of its own, so that it works without a script."""
    options = [element("option", name, value=name, selected=name == shown.preset) for name in preset_names()]
    return element(
        "form",
        element("label", "Begin with", for_="preset"),
        element("select", *options, id="preset", name="preset"),
        element("button", "Fill in", type="submit", class_="button"),
        method="get",
        action="submit",
        class_="sources",
    )


def _editor(request: Request, shown: Shown) -> Html:
    scales = [
        element("option", SCALE_WORDS.get(name, name), value=name, selected=name == shown.scale)
        for name in reversed(SCALES)
    ]
    text = element(
        "textarea",
        "\n" + shown.text,
        id="text",
        name="text",
        rows="24",
        spellcheck="false",
        autocapitalize="off",
        autocomplete="off",
        aria_describedby="found",
        wrap="off",
    )
    return element(
        "form",
        element(
            "div",
            element("label", "Definition, YAML or JSON", for_="text"),
            element("span", "Drop a file here, or ", element("label", "choose one", for_="file"), class_="hint"),
            element("input", id="file", name="file", type="file", accept=".yaml,.yml,.json"),
            class_="above",
        ),
        element("div", element("pre", id="lines", aria_hidden="true"), text, class_="text"),
        element(
            "div",
            element("label", "Scale", for_="scale"),
            element("select", *scales, id="scale", name="scale"),
            element("button", "Submit", type="submit"),
            class_="below",
        ),
        element(
            "div",
            element("div", *_found(shown), id="found", class_="card found", role="status", aria_live="polite"),
            _form(shown),
            class_="beside",
        ),
        *hidden(request),
        id="submission",
        method="post",
        action="submit",
        enctype="multipart/form-data",
    )


def _form(shown: Shown) -> Html:
    """The commonest fields; without a script, a button writes them into the text."""
    return element(
        "details",
        element("summary", "The commonest fields, as a form"),
        element("div", form_part(data_of(shown.text)), id="fields"),
        element("button", "Write into the text", type="submit", formaction="submit/fields", class_="button unscripted"),
        class_="card form",
        open=shown.is_form_open,
    )


def data_of(text: str) -> object:
    """What the text says; None where it cannot be read."""
    try:
        return read_yaml(text)
    except NotYaml:
        return None


def _found(shown: Shown) -> list[Html]:
    if not shown.flaws:
        return [element("p", "The text is checked when it is submitted.", class_="hint")]
    flaws = [element("li", with_commands(flaw.told)) for flaw in shown.flaws]
    return [element("h2", "It was not submitted"), element("ul", *flaws, class_="flaws")]
