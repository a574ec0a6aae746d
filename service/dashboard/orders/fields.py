"""The commonest fields of a definition as a form, generated from its schema: it shows what the text says, and writes
what is changed into it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from search_spaces import BUILT_IN_TASKS, definition_schema
from search_spaces.core_schema import resolved
from search_spaces.editing import LEFT_OUT
from search_spaces.parameters import PARAMETERS, OneOf
from search_spaces.yaml_text import written
from service.reports.markup import Html, element
from service.web.forms import Form

SET, MANY = "set.", "many"  # before a field's path in the form; the paths of those with several values
MOST_DIMENSIONS = 30  # in the form
Path = tuple[str, ...]

# Their places in a definition, and their words. Another one is a line here.
COMMON: Mapping[Path, str] = {
    ("name",): "Name",
    ("task", "name"): "Task",
    ("task", "epochs"): "Epochs",
    ("budget", "trials"): "Trials",
    ("repeats",): "Seeds of each trial",
    ("confirmation", "top"): "Confirmed of each variant",
    ("confirmation", "repeats"): "Fresh seeds of each",
}
CHOICES: Mapping[Path, Sequence[str]] = {("task", "name"): tuple(BUILT_IN_TASKS)}
_KNOWN = PARAMETERS["regularizer"]
REGULARIZERS: Sequence[str] = tuple(_KNOWN.names) if isinstance(_KNOWN, OneOf) else ()
VARIANTS: Path = ("search_space", "regularizer", "choices")
OF_DIMENSIONS: Mapping[str, Sequence[str]] = {
    "float": ("low", "high", "step"),
    "int": ("low", "high", "step"),
    "categorical": ("choices",),
}


@dataclass(frozen=True)
class Shown:
    """A field as the text fills it."""

    path: Path
    label: str
    value: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    choices: Sequence[str] = ()
    chosen: Sequence[str] | None = None  # of choices, where several may be

    @property
    def name(self) -> str:
        return SET + ".".join(self.path)

    def changed(self, form: Form) -> Any:
        """The value that was typed, LEFT_OUT for none; raises KeyError where it is as it was."""
        if self.chosen is not None:
            chosen = [each for each in form.several.get(self.name, []) if each in self.choices]
            if ".".join(self.path) not in form.several.get(MANY, []) or set(chosen) == set(self.chosen) or not chosen:
                raise KeyError(self.name)
            return chosen
        typed = form[self.name].strip()
        if not form.has(self.name) or typed == self.value:
            raise KeyError(self.name)
        if not typed:
            return LEFT_OUT
        if self.path[-1] == "choices":
            return [_scalar(each.strip()) for each in typed.split(",") if each.strip()]
        return typed if self.schema.get("type") == "string" else _scalar(typed)

    def html(self) -> Html:
        identity = self.name.replace(".", "-")
        if self.chosen is not None:
            boxes = [
                element(
                    "label",
                    element(
                        "input",
                        type="checkbox",
                        id=f"{identity}-{each}",
                        name=self.name,
                        value=each,
                        checked=each in self.chosen,
                    ),
                    each,
                )
                for each in self.choices
            ]
            marker = element("input", type="hidden", name=MANY, value=".".join(self.path))
            return element("fieldset", element("legend", self.label), *boxes, marker, class_="boxes")
        label = element("label", self.label, for_=identity)
        if self.choices:
            there = self.choices if self.value in self.choices else (self.value, *self.choices)
            options = [element("option", each, value=each, selected=each == self.value) for each in there]
            return element("div", label, element("select", *options, id=identity, name=self.name), class_="field")
        is_whole = self.schema.get("type") == "integer"
        control = element(
            "input",
            type="number" if is_whole else "text",
            id=identity,
            name=self.name,
            value=self.value,
            autocomplete="off",
            title=self.schema.get("description"),
            placeholder=_shown(self.schema.get("default")),
            min=_bound(self.schema, "minimum") if is_whole else None,
            max=_bound(self.schema, "maximum") if is_whole else None,
        )
        return element("div", label, control, class_="field")


def fields_of(data: Mapping[str, Any]) -> list[Shown]:
    """The fields that a definition has, as its text says them."""
    common = [
        Shown(path, label, _shown(_at(data, path)), _schema_at(path), CHOICES.get(path, ()))
        for path, label in COMMON.items()
    ]
    return [*common, *_dimensions(data)]


def changes_of(form: Form, data: Mapping[str, Any]) -> dict[Path, Any]:
    """What the form changes in the definition, by path."""
    changes = {}
    for shown in fields_of(data):
        try:
            changes[shown.path] = shown.changed(form)
        except KeyError:
            continue
    return changes


def form_part(data: object) -> Html:
    """The fields as a part of the page's form."""
    if not isinstance(data, dict):
        return element("p", "The form shows what the text says, once it can be read.", class_="hint")
    fields = fields_of(data)
    common = [each.html() for each in fields if each.path in COMMON]
    others = [each.html() for each in fields if each.path not in COMMON]
    return element("div", *common, *others, class_="fields")


def _dimensions(data: Mapping[str, Any]) -> Iterator[Shown]:
    space = data.get("search_space")
    if not isinstance(space, dict):
        return
    for name, dimension in list(space.items())[:MOST_DIMENSIONS]:
        kind = dimension.get("type") if isinstance(dimension, dict) else None
        for part in OF_DIMENSIONS.get(str(kind), ()):
            path, value = ("search_space", name, part), dimension.get(part)
            if path == VARIANTS and isinstance(value, list) and all(each in REGULARIZERS for each in value):
                yield Shown(path, "Variants", choices=REGULARIZERS, chosen=value)
            elif isinstance(value, list):
                yield Shown(path, f"{name}, {part}", ", ".join(map(_shown, value)))
            else:
                yield Shown(path, f"{name}, {part}", _shown(value))


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _shown(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else written(value) if isinstance(value, int | float) else ""


def _scalar(text: str) -> Any:
    try:
        return resolved(text)
    except ValueError:
        return text


def _bound(schema: Mapping[str, Any], name: str) -> str | None:
    return str(schema[name]) if name in schema else None


@cache
def _schema_at(path: Path) -> Mapping[str, Any]:
    """The JSON Schema of the field: its type, bounds, default and description."""
    whole = definition_schema()
    place: Mapping[str, Any] = whole
    for key in path:
        place = _followed(_followed(place, whole)["properties"][key], whole, keep=key)
    return place


def _followed(place: Mapping[str, Any], whole: Mapping[str, Any], keep: str | None = None) -> Mapping[str, Any]:
    """The schema that a reference, or an alternative to null, stands for."""
    outer = {name: place[name] for name in ("description", "default") if keep and name in place}
    for each in (place, *place.get("anyOf", ()), *place.get("allOf", ())):
        if "$ref" in each:
            return {**whole["$defs"][each["$ref"].rpartition("/")[2]], **outer}
    for each in place.get("anyOf", ()):
        if each.get("type") != "null":
            return {**each, **outer}
    return place
