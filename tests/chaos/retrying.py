"""Somebody who mends what own loops fail by, and has the failed runs tried again."""

from pathlib import Path

from service.api.models import StudyOut
from service.client import Client, Refused, Unreachable
from tests.chaos.background import Background
from tests.chaos.controller import CONFLICT, PAUSE_S
from tests.chaos.own_loop import OWN, mended


class Retrier(Background):
    """Retries every own loop's study that has paused itself, or has ended with failed runs.

    A database that is set back may have forgotten it: then it is ordered again.
    """

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(PAUSE_S)
        self._url, self._folder = url, folder
        self.retried: list[str] = []  # a study's name for every order that was not refused
        self.surprises: list[str] = []

    def turn(self) -> None:
        try:
            for name in self._waiting():
                self._retry(name)
        except Unreachable:
            return

    def is_done(self) -> bool:
        """Whether nothing is left to be tried again.

        Raises:
            Unreachable: the controller, or its database, is away.
        """
        return not self._waiting()

    def _waiting(self) -> list[str]:
        with Client(self._url, timeout=10) as client:
            own = [study for study in client.studies() if study.name.startswith(OWN)]
        return [study.name for study in own if study.state != "running" and _failed(study)]

    def _retry(self, name: str) -> None:
        mended(self._folder, name).touch()
        try:
            with Client(self._url, timeout=10) as client:
                client.retry(name)
        except Refused as refusal:
            if refusal.status != CONFLICT:  # it was tried again before, and the answer was lost
                self.surprises.append(f"{name} was not tried again: {refusal.status} {refusal}")
            return
        self.retried.append(name)


def _failed(study: StudyOut) -> int:
    return study.counts.failed + study.confirmation.failed
