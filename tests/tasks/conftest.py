from pathlib import Path

import pytest
import torch

from search_spaces import TaskSpec
from tests.tasks.canonical import write_rcv1, write_speech_commands
from workers.tasks import Task, load_task

torch.set_num_threads(1)


@pytest.fixture
def shared_data() -> Path:
    """Real data beside the repository."""
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def few_digits() -> Task:
    """So few that even the reference masks train in no time; batches of 32 do not divide them."""
    return load_task(TaskSpec(name="digits", train_size=70, options={"val_size": 40}), Path())


@pytest.fixture(scope="session")
def few_words(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """So few spoken words that an epoch of 65,536 features takes no time; batches of 4 do not divide them."""
    folder = tmp_path_factory.mktemp("few_words")
    write_speech_commands(folder, words=("go", "up"), speakers=8, clips=1)
    return load_task(TaskSpec(name="speech_commands", train_size=6, options={"val_size": 2}), folder)


@pytest.fixture(scope="session")
def few_documents(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """So few documents that 48 million weights train in a second; batches of 16 do not divide them."""
    folder = write_rcv1(tmp_path_factory.mktemp("few_documents"))
    return load_task(TaskSpec(name="rcv1", train_size=24, options={"val_size": 12}), folder)
