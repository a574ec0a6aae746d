"""An order that people give on a page: what it is called, whom and what it suits, its form, and what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from service.reports.markup import Html, element
from service.storage.database.database import Database
from service.web.access import Role
from service.web.forms import Form

Thing = TypeVar("Thing")
Choices = Sequence[tuple[str, str]]  # what is sent, and its words


class Made(NamedTuple):
    """What came of an order that made a secret."""

    said: str
    secret: str  # nobody can read it again


@dataclass(frozen=True)
class Field(Generic[Thing]):
    """A field of an order's form."""

    name: str
    label: str
    value: Callable[[Thing], str] = lambda _: ""  # what stands in it at first
    hint: str = ""
    kind: str = "text"  # text, number, area, hidden
    choices: Choices = ()  # a list to choose from, instead of text
    bounds: Mapping[str, str] = field(default_factory=dict)  # attributes: min, max, maxlength, pattern

    def shown(self, identity: str, value: str) -> Html:
        """The field, whose element is called `identity`, with a value in it."""
        if self.kind == "hidden":
            return element("input", type="hidden", name=self.name, value=value)
        control = self._control(identity, value)
        hint = element("small", self.hint, id=f"{identity}-hint", class_="hint") if self.hint else None
        return element("div", element("label", self.label, for_=identity), control, hint, class_="field")

    def _control(self, identity: str, value: str) -> Html:
        described = f"{identity}-hint" if self.hint else None
        common = {"id": identity, "name": self.name, "aria_describedby": described}
        if self.choices:
            options = [element("option", word, value=choice, selected=choice == value) for choice, word in self.choices]
            return element("select", *options, **common)
        if self.kind == "area":
            return element("textarea", "\n" + value, rows="3", **common, **self.bounds)
        return element("input", type=self.kind, value=value, autocomplete="off", **common, **self.bounds)


@dataclass(frozen=True)
class Order(Generic[Thing]):
    """An order on a study, a run, a worker, or on who may come in."""

    name: str  # in addresses
    word: str  # on its button
    says: str  # what it does, in a sentence or two
    suits: Callable[[Thing], bool]  # whether it makes sense now
    # What it does, given the database, the names in its address with the caller's as "by", and its form, in a thread;
    # it returns a sentence.
    do: Callable[[Database, Mapping[str, str], Form], str | Made]
    role: Role = Role.SUBMIT
    fields: Sequence[Field[Thing]] = ()
    takes_away: bool = False  # whether it cannot be undone: it asks before
    starts_runs: bool = False  # whether runs may begin by it, whose task the caller's key must allow
    leads_to: str | None = None  # the page after it, where that is not the page before
    deed: str | None = None  # its word in the audit, where that is not its name

    @property
    def asks(self) -> bool:
        """Whether it shows its form before it is given."""
        return self.takes_away or any(one.kind != "hidden" for one in self.fields)


def bounds_of(model: type[BaseModel], name: str) -> Mapping[str, str]:
    """The attributes that hold a field to the bounds of what it is read into: min, max, maxlength."""
    words = {"ge": "min", "le": "max", "max_length": "maxlength"}
    rules = model.model_fields[name].metadata
    return {words[each]: str(getattr(rule, each)) for rule in rules for each in words if hasattr(rule, each)}


def whole(text: str) -> int | str:
    """The number that was typed; the text where it is none, which the rules then refuse."""
    text = text.strip()
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() and len(text) < 12 else text
