"""Things chosen by name. An extension is one entry: in the list, in an entry point, or by `register`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from pernodedrop.near import hint

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Named things of one kind, in their order; `noun` is the setting that names one.

    An entry is the thing itself or "module:attribute", which is imported at its first use: listing names imports
    nothing. Installed distributions add theirs by entry points of the `group`, which every process finds.
    """

    def __init__(self, noun: str, group: str, entries: Mapping[str, T | str]) -> None:
        self.noun, self.group = noun, group
        self._entries: dict[str, T | str] = dict(entries)
        self._outside: set[str] = set()
        self._is_whole = False  # whether the entry points were read, which takes some milliseconds

    def __getitem__(self, name: str) -> T:
        """The thing of that name.

        Raises:
            KeyError: no thing has this name; `named` raises ValueError with the names there are.
        """
        if name not in self:
            raise KeyError(name)
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = self._entries[name] = cast(T, getattr(import_module(module), attribute))
        return entry

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._whole()

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def named(self, name: str) -> T:
        """The thing of that name; raises as `check`."""
        self.check(name)
        return self[name]

    def check(self, name: str) -> None:
        """Raises ValueError where no thing has this name; the message lists those that have one. Imports nothing."""
        if name not in self:
            raise ValueError(f"{self.noun} must be one of {', '.join(self)}, got {name!r}{hint(name, self)}")

    @property
    def outside(self) -> frozenset[str]:
        """The names of those that other distributions brought."""
        self._whole()
        return frozenset(self._outside)

    def register(self, name: str, thing: T | str) -> None:
        """Add a thing from outside the package, for this process alone; "module:attribute" is imported when needed.

        Raises:
            ValueError: the name is taken.
        """
        self._check_free(name)
        self._entries[name] = thing

    def remove(self, name: str) -> None:
        """Remove a registered thing; raises KeyError where there is none."""
        del self._entries[name]

    def _whole(self) -> dict[str, T | str]:
        if not self._is_whole:
            brought: dict[str, T | str] = {}
            for found in entry_points(group=self.group):
                self._check_free(found.name, brought)
                brought[found.name] = found.value
            self._entries |= brought
            self._outside |= brought.keys()
            self._is_whole = True
        return self._entries

    def _check_free(self, name: str, beside: Mapping[str, T | str] | None = None) -> None:
        if name in self._entries or name in (beside or {}):
            raise ValueError(f"{self.noun} {name!r} is taken: choose another name")
