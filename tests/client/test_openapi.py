"""The client's typed answers are what the controller's description says: neither may change alone."""

from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest

from pernodedrop.client import answers, ordered, own_loop, ranked
from pernodedrop.client.reading import field_types
from tests.api.described import description

PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}
OBJECTS = {"StudyDefinition": "object"}  # described in full, and read as it is
OF_THE_API = {  # by the client's name
    answers.Objective: "ObjectiveOut",
    answers.Counts: "CountsOut",
    answers.Budget: "BudgetOut",
    answers.Links: "LinksOut",
    answers.Trial: "TrialOut",
    answers.TrialPage: "TrialPage",
    answers.Recommended: "RecommendedOut",
    answers.Best: "BestOut",
    answers.Winner: "WinnerOut",
    answers.Confirmed: "ConfirmedOut",
    ranked.RankingRow: "RankingRow",
    ranked.FrontRow: "FrontRow",
    ranked.Ranking: "Ranking",
    answers.Overview: "StudyOut",
    answers.Submitted: "Submitted",
    ordered.Retried: "Retried",
    answers.OverviewPage: "StudyPage",
    answers.Earlier: "EarlierOut",
    answers.TaskCode: "TaskCodeOut",
    answers.Details: "StudyDetail",
    answers.Figure: "FigureOut",
    answers.Figures: "Figures",
    own_loop.Order: "TrainOut",
    own_loop.Waiting: "WaitOut",
    own_loop.Over: "OverOut",
    own_loop.Heard: "WordOut",
    own_loop.Told: "ToldOut",
}
ASKED = (own_loop.Order, own_loop.Waiting, own_loop.Over)
DESCRIBED = description()["components"]["schemas"]


@pytest.mark.parametrize("kind", OF_THE_API, ids=lambda kind: kind.__name__)
def test_an_answer_is_what_the_controller_describes(kind: type[Any]) -> None:
    schema = DESCRIBED[OF_THE_API[kind]]
    if kind in ASKED:  # by `state` an answer is told from the others, before it is read
        schema["properties"].pop("state")
    types = field_types(kind)
    assert set(types) == set(schema["properties"])
    for name, property_ in schema["properties"].items():
        assert _said(types[name]) == _described(property_), name
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    assert needed == set(schema.get("required", []))


def _said(kind: Any) -> Any:
    """A type of the client in the words of `_described`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return OF_THE_API[kind]  # type: ignore[index]
    if origin in (Union, UnionType):
        return frozenset(_said(one) for one in arguments)
    if origin is Literal:
        return frozenset(arguments)
    if origin is list:
        return ("list", _said(arguments[0]))
    if origin is dict:
        return "object" if arguments[1] is Any else ("dict", _said(arguments[1]))
    return "date-time" if kind is datetime else PLAIN[kind]


def _described(schema: dict[str, Any]) -> Any:
    """A property's schema: names of components, frozensets of alternatives, pairs for lists and dicts."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            target = DESCRIBED[name]
            return frozenset(target["enum"]) if "enum" in target else OBJECTS.get(name, name)
        case {"anyOf": parts}:
            return frozenset(_described(one) for one in parts)
        case {"enum": values}:
            return frozenset(values)
        case {"type": "array", "items": member}:
            return ("list", _described(member))
        case {"type": "object", "additionalProperties": dict(member)}:
            return ("dict", _described(member))
        case _:
            return schema.get("format", schema["type"])
