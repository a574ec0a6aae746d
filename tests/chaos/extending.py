"""Two people who extend every decided confirmation in the same moment, whatever happens to the controller."""

from concurrent.futures import ThreadPoolExecutor

from service.client import Client, Refused, Unreachable
from tests.chaos.background import Background
from tests.chaos.controller import CONFLICT, PAUSE_S
from tests.chaos.definitions import CONFIRMED, MORE_SEEDS


class Extenders(Background):
    """Asks for `MORE_SEEDS` twice at once, as soon as a confirmation has its verdict.

    A database that is set back may have forgotten it: then it is asked for again.
    """

    def __init__(self, url: str) -> None:
        super().__init__(PAUSE_S)
        self._url = url
        self._settled: set[str] = set()  # one configuration is left: there is nothing to add
        self.added: list[str] = []  # a study's name for every order that was not refused
        self.surprises: list[str] = []

    def turn(self) -> None:
        try:
            for name in self._waiting():
                with ThreadPoolExecutor(2) as both:
                    if list(both.map(self._is_added, [name] * 2)) == [False, False]:
                        self._settled.add(name)
        except Unreachable:
            return

    def is_done(self) -> bool:
        """Whether every confirmation that has its verdict was extended.

        Raises:
            Unreachable: the controller, or its database, is away.
        """
        return not self._waiting()

    def _waiting(self) -> list[str]:
        with Client(self._url, timeout=10) as client:
            complete = [study.name for study in client.studies() if study.state == "complete"]
            known = [name for name in complete if name.startswith(CONFIRMED) and name not in self._settled]
            most = {name: client.study(name).definition["confirmation"]["most_repeats"] for name in known}
        return [name for name in known if most[name] < MORE_SEEDS]

    def _is_added(self, name: str) -> bool:
        try:
            with Client(self._url, timeout=10) as client:
                client.confirm(name, most_repeats=MORE_SEEDS)
        except Refused as refusal:
            if refusal.status != CONFLICT:  # the other was earlier, or one is left
                self.surprises.append(f"{name} was not extended: {refusal.status} {refusal}")
            return False
        self.added.append(name)
        return True
