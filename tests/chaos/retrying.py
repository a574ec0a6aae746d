"""Somebody who mends what own loops fail by, and has the failed runs tried again."""

from pathlib import Path

from service.api.models import StudyOut
from service.client import Client
from tests.chaos.ordering import Orders
from tests.chaos.own_loop import OWN, mended


class Retrier(Orders):
    """Retries every own loop's study that has paused itself, or has ended with failed runs."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url)
        self._folder = folder

    def _waits(self, client: Client) -> list[str]:
        own = [study for study in client.studies() if study.name.startswith(OWN)]
        return [study.name for study in own if study.state != "running" and _failed(study)]

    def _order(self, client: Client, name: str) -> None:
        mended(self._folder, name).touch()
        client.retry(name)


def _failed(study: StudyOut) -> int:
    return study.counts.failed + study.confirmation.failed
