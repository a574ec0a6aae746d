import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.storage.embedded import EmbeddedPostgres


def open_folder() -> Path:
    """pytest's tmp_path is closed to the account that root hands the server to."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    """Where a server may put its folder."""
    folder = open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def owner(home: Path) -> Iterator[Callable[[], EmbeddedPostgres]]:
    """Makes owners of the server in `home`; all of them are released at the end."""
    made: list[EmbeddedPostgres] = []

    def make() -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home / "postgres"))
        return made[-1]

    yield make
    for one in made:
        one.release()


@pytest.fixture(scope="session")
def used_once() -> Iterator[Path]:
    """The folder of a server that was started and stopped in order."""
    folder = open_folder()
    with EmbeddedPostgres(folder / "postgres"):
        pass
    yield folder / "postgres"
    shutil.rmtree(folder)


@pytest.fixture
def used(home: Path, used_once: Path) -> Path:
    """`home` with a server that was used before."""
    subprocess.run(["cp", "-a", str(used_once), str(home / "postgres")], check=True)
    return home
