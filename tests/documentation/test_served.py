"""The examples that need a service, on a real stack; and the definitions of the pages, each trained a little."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Scale, load_preset, parse_definition, scaled
from search_spaces.yaml_text import read_yaml
from service.client import Client
from service.settings import Settings
from service.stack import Stack
from tests.documentation.blocks import NOT_RUN, PART, PAUSED, ROOT, SERVED, Block, blocks

pytestmark = [pytest.mark.wide, pytest.mark.timeout(1200), pytest.mark.xdist_group("served")]

EXAMPLES = ROOT / "docs" / "examples"
SECONDS = 300  # for the commands of a block, and for a small study
HERE = {"digits", "own_task:Tumours"}  # the tasks whose data come with scikit-learn
MY_STUDY: dict[str, Any] = load_preset("quickstart") | {
    "name": "my-study",
    "task": {"name": "digits", "epochs": 2, "train_size": 200},
    "sampler": {"name": "random"},
    "pruner": {"name": "none"},
    "keep": "every",
    "budget": {"trials": 6},
    "start_with": [{"regularizer": "dropout"}],  # with which the pages compare
    "confirmation": {"top": 1, "repeats": 3},
}


@dataclass(frozen=True)
class Service:
    """A stack with one worker, which finds the tasks of docs/examples."""

    url: str
    home: Path

    def client(self) -> Client:
        return Client(self.url)

    def ended(self, name: str) -> str:
        """The state in which the study ends."""
        deadline = time.monotonic() + SECONDS
        with self.client() as client:
            while (state := client.study(name).state) in {"running", "confirming"}:
                assert time.monotonic() < deadline, f"{name} is {state}"
                time.sleep(0.3)
        return state

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        ours = {"PERNODEDROP_URL": self.url, "PERNODEDROP_HOME": str(self.home / "of-the-commands")}
        return {**os.environ, **ours, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """An open folder holds it: pytest's are closed to the account that root hands Postgres to."""
    home = Path(tempfile.mkdtemp(prefix="pernodedrop-"))
    home.chmod(0o755)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{EXAMPLES}:{ROOT}"
    try:
        with Stack(Settings(home=home, data_folder=home / "data"), workers=1, threads=1, say=print) as stack:
            yield Service(stack.url, home)
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def my_study(service: Service) -> str:
    with service.client() as client:
        name = client.submit(MY_STUDY).name
    assert service.ended(name) == "complete"
    return name


@pytest.fixture
def nothing_else(service: Service, my_study: str) -> Iterator[None]:
    """What a page submits is deleted, so that nobody trains it."""
    yield
    with service.client() as client:
        for study in [*client.studies()]:
            if study.name != my_study:
                client.delete(study.name)


@contextmanager
def waiting(service: Service, study: str) -> Iterator[None]:
    """The study is paused, and has trials that have not begun."""
    with service.client() as client:
        client.extend(study, 10)
        client.change(study, "pause")
        yield
        client.change(study, "resume")
    assert service.ended(study) == "complete"


def served() -> list[list[Block]]:
    """The blocks that need the stack, a list for each page."""
    found = [block for block in blocks("sh", "python") if block.said in {SERVED, PAUSED}]
    return [list(of_page) for _, of_page in groupby(found, key=lambda block: block.page)]


@pytest.mark.parametrize("of_page", served(), ids=lambda of_page: of_page[0].page.name)
@pytest.mark.usefixtures("nothing_else")
def test_blocks_of_a_page(of_page: list[Block], service: Service, my_study: str, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for block in of_page:
        with waiting(service, my_study) if block.said == PAUSED else nullcontext():
            run(block, service, tmp_path)


def run(block: Block, service: Service, folder: Path) -> None:
    text = block.text.replace("http://127.0.0.1:8000", service.url)
    if block.language == "python":
        text = f"import torch\nx = torch.zeros(2, 1, 8, 8)\n{text}"
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, text], cwd=folder, env=service.environment(), capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    assert '"error"' not in done.stdout.replace('{"error":"no_complete_trial"', ""), (
        f"{block}: {done.stdout}"
    )  # of curl


def definitions() -> dict[str, dict[str, Any]]:
    """Every definition of pages and examples whose data are here, by where it stands."""
    found = {
        str(block): load_preset("quickstart") | read_yaml(block.text) if block.said == PART else read_yaml(block.text)
        for block in blocks("yaml")
        if not block.said.startswith(NOT_RUN)
    }
    found |= {path.name: read_yaml(path.read_text()) for path in sorted(EXAMPLES.rglob("*.yaml"))}
    return {place: data for place, data in found.items() if data["task"]["name"] in HERE}


def small(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The definition with two epochs and as few trials and seeds as it may have."""
    definition = parse_definition(data | {"name": name})
    trials = max(2, len(definition.start_with or ()), 3 if definition.pruner.name == "asha" else 0)
    scale = Scale(epochs=2, train_size=200, repeats=2, trials=trials)
    return scaled(definition, scale).model_dump(mode="json")


@pytest.mark.parametrize("place", definitions())
@pytest.mark.usefixtures("nothing_else")
def test_a_definition_is_trained(place: str, service: Service) -> None:
    name = "".join(letter if letter.isalnum() else "-" for letter in place).strip("-")
    with service.client() as client:
        submitted = client.submit(small(definitions()[place], name)).name
        assert service.ended(submitted) == "complete"
        assert client.trials(submitted, "failed").total == 0
