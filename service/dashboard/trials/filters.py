"""Which runs a table shows, as its address says it: an address that is passed on shows the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from pernodedrop.near import did_you_mean
from service.storage.errors import NotSelectable
from service.storage.states import RunState, Stage
from service.storage.studies.selection import Wanted

LONGEST_WHERE, LONGEST_NAME = 1000, 200  # characters, as REST takes them
LARGEST_OFFSET = 10**9

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True)
class Filters:
    """The fields of the form as they were typed, right or wrong."""

    state: str = ""
    stage: str = ""
    variant: str = ""
    where: str = ""
    sort: str = ""
    descending: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        return cls(**{name: query.get(name, "").strip() for name in cls.__dataclass_fields__})

    def wanted(self, study: str) -> Wanted:
        """What the fields ask for. Raises NotSelectable: a field has no such value, or is too long."""
        for name, longest in (("where", LONGEST_WHERE), ("variant", LONGEST_NAME), ("sort", LONGEST_NAME)):
            if len(getattr(self, name)) > longest:
                raise NotSelectable(study, f"{name} must have at most {longest:,} characters")
        return Wanted(
            state=_one_of(study, "state", RunState, self.state),
            stage=_one_of(study, "stage", Stage, self.stage),
            variant=self.variant or None,
            where=self.where or None,
            sort=self.sort or None,
            descending=self.descending not in ("", "false"),
        )

    def sorted_by(self, key: str) -> "Filters":
        """The same by this column; the other way round where it is sorted by it already."""
        turned = "true" if self.sort == key and not self.descending else ""
        return replace(self, sort=key, descending=turned)

    @property
    def narrows(self) -> bool:
        """Whether some runs may be left out."""
        return bool(self.state or self.stage or self.variant or self.where)

    def address(self, path: str, **more: int) -> str:
        """The path with the fields that are filled in."""
        given = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}
        query = urlencode({**given, **more})
        return f"{path}?{query}" if query else path


def word_of(value: Any) -> str:
    """A parameter's value as a condition names it, in full: another number is another configuration."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def condition_of(params: Mapping[str, Any]) -> str | None:
    """The conditions that runs with these parameters hold; None where they cannot be written."""
    words = {name: word_of(value) for name, value in params.items()}
    if not words or any("," in word or word != word.strip() or not word for word in words.values()):
        return None
    text = ",".join(f"{name}={word}" for name, word in words.items())
    return text if len(text) <= LONGEST_WHERE else None


def place_of(text: str, otherwise: int, largest: int = LARGEST_OFFSET) -> int:
    """The number in a query, up to `largest`; `otherwise` where it has none."""
    return min(int(text), largest) if text.isascii() and text.isdecimal() and len(text) <= 12 else otherwise


def _one_of(study: str, field: str, words: Iterable[Word], text: str) -> Word | None:
    if not text:
        return None
    known = {str(word): word for word in words}
    if text not in known:
        remedy = did_you_mean(text, known, f"choose one of {', '.join(known)}")
        raise NotSelectable(study, f"no run has the {field} {text[:60]!r}: {remedy}")
    return known[text]
