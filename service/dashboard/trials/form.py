"""The form above the table: which runs it shows."""

from collections.abc import Iterable, Sequence

from service.dashboard.trials.filters import LONGEST_NAME, LONGEST_WHERE, Filters
from service.reports.markup import Html, element, with_commands
from service.storage.records import StudyRecord
from service.storage.states import RunState, Stage


def filter_form(
    study: StudyRecord, filters: Filters, parameters: Sequence[str], variants: Sequence[str], complaint: str | None
) -> Html:
    """The form with what was asked, and in one line why that cannot be answered."""
    here = f"studies/{study.name}/trials"
    fields = [
        _choice("State", "state", filters.state, RunState),
        _choice("Stage", "stage", filters.stage, Stage),
        _text("Variant", "variant", filters.variant, LONGEST_NAME, "any", suggestions=variants),
        _text(
            "Conditions",
            "where",
            filters.where,
            LONGEST_WHERE,
            "drop_rate>=0.3, value<0.2",
            described_by="conditions-help" if complaint is None else "complaint conditions-help",
            class_="wide",
        ),
        *(
            element("input", type="hidden", name=name, value=value)
            for name, value in (("sort", filters.sort), ("descending", filters.descending))
            if value
        ),
        element("button", "Filter", type="submit"),
        element("a", "Clear", href=here, class_="clear") if filters.narrows or filters.sort else None,
    ]
    help_ = element(
        "p",
        "Conditions compare a parameter with =, !=, <, <=, > or >=, and are separated by commas. Parameters: ",
        element("code", ", ".join(parameters)),
        ". Also value, epoch, time (in s) and attempts.",
        id="conditions-help",
        class_="hint",
    )
    refusal = (
        element("p", with_commands(complaint), class_="complaint", role="alert", id="complaint") if complaint else None
    )
    return element(
        "form",
        element("div", *fields, class_="fields"),
        refusal,
        help_,
        method="get",
        action=here,
        class_="card filters",
    )


def _choice(label: str, name: str, chosen: str, words: Iterable[str]) -> Html:
    known = [str(word) for word in words]
    options = [element("option", "any", value=""), *(_option(word, chosen) for word in known)]
    if chosen and chosen not in known:  # what was refused stands there still
        options.append(_option(chosen, chosen))
    return element("label", label, element("select", *options, name=name))


def _option(word: str, chosen: str) -> Html:
    return element("option", word, value=word, selected=word == chosen)


def _text(
    label: str,
    name: str,
    value: str,
    longest: int,
    placeholder: str,
    *,
    suggestions: Sequence[str] = (),
    described_by: str | None = None,
    class_: str | None = None,
) -> Html:
    known = f"known-{name}" if suggestions else None
    field = element(
        "input",
        type="text",
        name=name,
        value=value,
        maxlength=str(longest),
        placeholder=placeholder,
        list=known,
        autocomplete="off",
        spellcheck="false",
        aria_describedby=described_by,
    )
    listed = element("datalist", *(element("option", value=each) for each in suggestions), id=known) if known else None
    return element("label", label, field, listed, class_=class_)
