"""What an order is about, by its address."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from pernodedrop.near import LONGEST
from search_spaces.shape import NAME_PATTERN
from service.storage.access import keys, shares
from service.storage.access.bounds import NAME_PATTERN as KEY_PATTERN
from service.storage.access.keys import UnknownKey
from service.storage.access.shares import UnknownShare
from service.storage.database.database import Database
from service.storage.errors import UnknownStudy, UnknownTrial, UnknownWorker
from service.storage.fleet.members import members
from service.storage.states import Stage
from service.storage.studies import studies, trials
from service.web.orders import MAX_NUMBER

Names = Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """What orders may be about, with a name of its own in the address."""

    on: str  # as `known.ORDERS` has it
    named: str  # the name in the address that is there for this kind alone; "" for none
    called: Callable[[Names], str]
    page: Callable[[Names], str]  # that shows it, relative to our root
    thing: Callable[[Database, Names], Any]


def _study(database: Database, names: Names) -> Any:
    return studies.get(database, names["name"])


def _run(database: Database, names: Names) -> Any:
    return trials.get(database, _study(database, names), int(names["number"]), Stage(names["stage"]))


def _worker(database: Database, names: Names) -> Any:
    there = {worker.id: worker for worker in members(database)}
    if names["worker"] not in there:
        raise UnknownWorker(names["worker"][:60])
    return there[names["worker"]]


def _key(database: Database, names: Names) -> Any:
    there = {key.name: key for key in keys.listing(database)}
    if names["key"] not in there:
        raise UnknownKey(names["key"][:LONGEST], list(there))
    return there[names["key"]]


def _link(database: Database, names: Names) -> Any:
    there = {share.id: share for share in shares.listing(database, names["name"])}
    if int(names["share"]) not in there:
        raise UnknownShare(names["name"], int(names["share"]))
    return there[int(names["share"])]


def _on_study(names: Names) -> str:
    return f"studies/{names['name']}"


def _in_words(names: Names) -> str:
    return f"{names['name']}, {Stage(names['stage']).called(int(names['number']))}"


# The first whose name stands in the address; another one is a line here, in `known.ORDERS` and in `routes`.
KINDS = (
    Kind("worker", "worker", lambda _: "The worker", lambda _: "fleet", _worker),
    Kind("key", "key", lambda names: f"Key {names['key']}", lambda _: "access", _key),
    Kind("link", "share", lambda names: f"{names['name']}, link {names['share']}",
         lambda names: f"{_on_study(names)}/links", _link),
    Kind("run", "number", _in_words, _on_study, _run),
    Kind("study", "name", lambda names: names["name"], _on_study, _study),
    Kind("keys", "", lambda _: "Access", lambda _: "access", lambda *_: object()),
)  # fmt: skip


class About:
    """What an order is about: on what, its names in the address, and the page that shows it."""

    def __init__(self, request: Request) -> None:
        given = request.path_params
        self.names: Names = {key: str(value) for key, value in given.items() if key != "order"}
        if "number" in given:
            confirms = f"/{Stage.CONFIRMATION}/" in request.url.path
            self.names = {**self.names, "stage": Stage.CONFIRMATION if confirms else Stage.SEARCH}
        self._kind = next(kind for kind in KINDS if kind.named in self.names or not kind.named)
        self.on, self.called, self.page = self._kind.on, self._kind.called(self.names), self._kind.page(self.names)

    def check(self) -> None:
        """Return if the names in the address can be those of something; raises as `thing`."""
        name, key = self.names.get("name"), self.names.get("key")
        if name is not None and not re.fullmatch(NAME_PATTERN, name):
            raise UnknownStudy(name[:LONGEST])
        if key is not None and not re.fullmatch(KEY_PATTERN, key):
            raise UnknownKey(key[:LONGEST], ())
        number, share = int(self.names.get("number", 0)), int(self.names.get("share", 0))
        if number > MAX_NUMBER:
            raise UnknownTrial(str(name), Stage(self.names["stage"]).called(number))
        if share > MAX_NUMBER:
            raise UnknownShare(str(name), share)

    def thing(self, database: Database) -> Any:
        """Its record.

        Raises:
            UnknownStudy, UnknownTrial, UnknownWorker, UnknownKey, UnknownShare: there is none.
        """
        self.check()
        return self._kind.thing(database, self.names)
