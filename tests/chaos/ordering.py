"""Somebody who goes through the studies again and again and gives each that waits for it an order, whatever fails."""

import abc

from service.client import Client, Refused, Unreachable
from tests.chaos.background import Background
from tests.chaos.controller import CONFLICT, PAUSE_S


class Orders(Background):
    """Gives its order for every study that waits for it.

    A database that is set back may have forgotten it: then the study waits again.
    """

    def __init__(self, url: str) -> None:
        super().__init__(PAUSE_S)
        self._url = url
        self.given: list[str] = []  # a study's name for every order that was not refused
        self.surprises: list[str] = []

    def turn(self) -> None:
        try:
            for name in self._waiting():
                self._treat(name)
        except Unreachable:
            return

    def is_done(self) -> bool:
        """Whether no study waits for an order.

        Raises:
            Unreachable: the controller, or its database, is away.
        """
        return not self._waiting()

    def _waiting(self) -> list[str]:
        with self._client() as client:
            return self._waits(client)

    @abc.abstractmethod
    def _waits(self, client: Client) -> list[str]:
        """The names of the studies that wait for an order."""

    @abc.abstractmethod
    def _order(self, client: Client, name: str) -> None:
        """Give the order for this study."""

    def _treat(self, name: str) -> None:
        self._is_taken(name)

    def _is_taken(self, name: str) -> bool:
        """Give the order, and say whether it was not refused."""
        try:
            with self._client() as client:
                self._order(client, name)
        except Refused as refusal:
            if refusal.status != CONFLICT:  # another was earlier, or the answer was lost
                self.surprises.append(f"the order for {name} was refused: {refusal.status} {refusal}")
            return False
        self.given.append(name)
        return True

    def _client(self) -> Client:
        return Client(self._url, timeout=10)
