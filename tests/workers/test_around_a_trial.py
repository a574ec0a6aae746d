"""What a trial's process does at its end, and what its keeper need not do before it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The kernel ends a process with this last: first the memory, some milliseconds, then the files.
LEAVES = """
import sys, time
from pathlib import Path
from workers.trial import main
main._exit = lambda code: (time.sleep(5), Path(sys.argv[1]).touch())
print("the last line", end="")
print("of both", end="", file=sys.stderr)
main._leave()
"""
ASKS = """
import importlib.metadata
from pathlib import Path
from search_spaces import TaskSpec, TrialConfig
from workers.trial import nursery
from workers.trial.keeper import is_built_in
from workers.trial.messages import Order
nursery._warm_up()
def refuse(**_): raise AssertionError("it looks through what is installed")
from pernodedrop import registry
registry.entry_points = importlib.metadata.entry_points = refuse
for name in ("digits", "tests.workers.hostile:Plain"):
    task = TaskSpec(name=name, epochs=1)
    print(is_built_in(Order(task=task, config=TrialConfig(), study_seed=1, repeats=1, data_folder=Path())))
"""


def test_the_worker_reads_all_that_a_trial_has_said_before_its_process_is_gone(tmp_path: Path) -> None:
    late = tmp_path / "late"
    command = [sys.executable, "-c", LEAVES, str(late)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True) as leaving:
        assert leaving.stdout is not None
        assert leaving.stderr is not None
        assert (leaving.stdout.read(), leaving.stderr.read()) == ("the last line", "of both")  # up to their ends
        assert not late.exists()
        leaving.kill()


def test_a_keeper_knows_what_other_distributions_brought_from_its_nursery() -> None:
    said = subprocess.run([sys.executable, "-c", ASKS], cwd=ROOT, text=True, capture_output=True, check=True)
    assert said.stdout.split() == ["True", "False"]
