"""An own loop as a user would write it: it trains every study whose task is external, until it is told to leave."""

import logging
import signal
import sys
import time
from pathlib import Path

from pernodedrop.client import Client, LeaseLost, Refused, Training, Unreachable
from tests.chaos.own_loop import OWN, PAUSE_S, epochs, fails, mended, tested

LOOK_S = 0.5
GONE = 404


def main(url: str, folder: Path) -> None:
    client = Client(url, timeout=5.0)
    while True:
        try:
            for study in reversed(client.studies()):
                if study.name.startswith(OWN) and study.state == "running":
                    train_all(client, study.name, folder)
        except Unreachable:
            pass
        except Refused as error:
            if error.status != GONE:  # a database that was set back has forgotten the study
                raise
        time.sleep(LOOK_S)


def train_all(client: Client, name: str, folder: Path) -> None:
    for trial in client.study(name).trials_to_train():
        broken = trial.stage == "search" and fails(trial.params, trial.number)
        if broken and not mended(folder, name).exists():
            trial.fail(f"no data set in /data/{trial.number}")
            continue
        try:
            train(trial)
        except LeaseLost:
            continue


def train(trial: Training) -> None:
    for _, metrics in zip(trial.epochs(), epochs(trial.params, trial.seed), strict=False):
        time.sleep(PAUSE_S)
        trial.report(**tested(metrics, trial.is_tested))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(sys.argv[1], Path(sys.argv[2]))
