"""Two people who extend every decided confirmation in the same moment, whatever happens to the controller."""

from concurrent.futures import ThreadPoolExecutor

from service.client import Client
from tests.chaos.definitions import CONFIRMED, MORE_SEEDS
from tests.chaos.ordering import Orders


class Extenders(Orders):
    """Asks for `MORE_SEEDS` twice at once, as soon as a confirmation has its verdict."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._settled: set[str] = set()  # one configuration is left: there is nothing to add

    def _waits(self, client: Client) -> list[str]:
        complete = [study.name for study in client.studies() if study.state == "complete"]
        known = [name for name in complete if name.startswith(CONFIRMED) and name not in self._settled]
        most = {name: client.study(name).definition["confirmation"]["most_repeats"] for name in known}
        return [name for name in known if most[name] < MORE_SEEDS]

    def _order(self, client: Client, name: str) -> None:
        client.confirm(name, most_repeats=MORE_SEEDS)

    def _treat(self, name: str) -> None:
        with ThreadPoolExecutor(2) as both:
            if list(both.map(self._is_taken, [name] * 2)) == [False, False]:
                self._settled.add(name)
