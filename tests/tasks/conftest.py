from pathlib import Path

import pytest
import torch

from search_spaces import TaskSpec
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
