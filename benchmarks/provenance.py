"""What it costs to say where a trial comes from, beside loading its data.

    python -m benchmarks.provenance [--task cifar10] [--data FOLDER]

Times are of one core, in milliseconds. All but the last are paid once in a process, the data's digest once for a task.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from search_spaces import TaskSpec
from service.settings import Settings
from workers.tasks import load_task
from workers.tasks.code import program_digest, version_of
from workers.trial.fingerprint import data_of
from workers.trial.provenance import packages, processor, provenance_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--data", type=Path, default=Settings.from_environment().data_folder)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task, cpu = load_task(TaskSpec(name=options.task), options.data), torch.device("cpu")
    parts: dict[str, Callable[[], object]] = {
        "the data are loaded": lambda: task.splits(cpu),
        "packages": packages,
        "processor": processor,
        "program": program_digest,
        "task": lambda: version_of(type(task)),
        "data": lambda: data_of(task, cpu),
        "a later trial": lambda: provenance_of(task, {"backend": "torch"}, cpu),
    }
    for name, part in parts.items():
        begun = time.process_time()
        part()
        print(f"{name:20} {1e3 * (time.process_time() - begun):10.2f}")


if __name__ == "__main__":
    main()
