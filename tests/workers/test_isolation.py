"""What a trial computes follows from its order alone, and what it started ends with it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces import TaskSpec, TrialConfig
from service.storage.assignments.progress import EpochDone
from tests.workers.conftest import until
from tests.workers.hostile import LEFT, RAISED
from workers.trial import family, process
from workers.trial.messages import Failed, Finished, Order, Report, Started, Stopped
from workers.trial.nursery import Nursery
from workers.trial.process import TrialProcess, TrialProcessDied, accuse

pytestmark = pytest.mark.xdist_group("isolation")  # what the module shares takes seconds: one process makes it

Curve = list[dict[str, float]]
PATIENCE_S = 60
_NAMES = ("PERNODEDROP_API_KEY", "PGPASSWORD", "POSTGRES_PASSWORD")
SECRETS = {"DATABASE_URL": "postgresql://me:secret-1@here/db"} | {name: f"secret-{name}" for name in _NAMES}
CHANGING = """
from pathlib import Path
from tests.workers.hostile import Plain
class Changing(Plain):
    def load(self, device):
        Path(__file__).write_text(Path(__file__).read_text().replace('"version": 1', '"version": 2'))
        return super().load(device)
    def misbehave(self, mode):
        return {"version": 1}
"""
DIGITS = {"name": "digits", "epochs": 2, "train_size": 100, "options": {"val_size": 50}}


@pytest.fixture(scope="module")
def trial_process() -> Iterator[TrialProcess]:
    """One for all tests here, in any order: none may notice the others."""
    started = TrialProcess("cpu", 1)
    yield started
    started.kill()
    process.NURSERY.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the other nursery finds modules, too."""
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def another_nursery(folder: Path) -> Iterator[Nursery]:
    """One that no other test uses, of a worker that knows secrets."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(folder))
        nursery = Nursery()
        patch.setattr(process, "NURSERY", nursery)
        TrialProcess("cpu", 1).kill()
    yield nursery
    nursery.close()


@pytest.fixture
def fresh(another_nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrialProcess]:
    """One that has had no order."""
    monkeypatch.setattr(process, "NURSERY", another_nursery)
    started = TrialProcess("cpu", 1)
    yield started
    started.kill()


def order(task: str, run: int = 1, epochs: int = 2, regularizer: str = "dropout", **options: object) -> Order:
    spec = {"name": f"tests.workers.hostile:{task}", "epochs": epochs, "options": options}
    return Order(
        task=TaskSpec.model_validate(DIGITS if task == "digits" else spec),
        config=TrialConfig(regularizer=regularizer, learning_rate=0.01, batch_size=16),
        study_seed=5,
        repeats=1,
        data_folder=Path(),
        run_id=run,
        token=7,
    )


def reports(trial_process: TrialProcess, task: str, **parts: object) -> Iterator[Report]:
    trial_process.order(order(task, **parts))  # type: ignore[arg-type]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        report = trial_process.listen(0.2)
        if report is not None:
            yield report
            if not isinstance(report, Started | EpochDone):
                return
    raise TimeoutError(task)


def curve(trial_process: TrialProcess, task: str, **parts: object) -> Curve:
    """The epochs' figures, but for the clock's."""
    _, *epochs, last = reports(trial_process, task, **parts)
    assert last == Finished()
    metrics = [dict(done.metrics) for done in epochs if isinstance(done, EpochDone)]
    return [{name: value for name, value in one.items() if name != "train_seconds"} for one in metrics]


def reason(trial_process: TrialProcess, task: str, **parts: object) -> str:
    *_, last = reports(trial_process, task, **parts)
    assert isinstance(last, Failed)
    return last.reason


@pytest.fixture(scope="module")
def innocents(another_nursery: Nursery) -> dict[tuple[str, str], Curve]:
    """What innocent orders compute, each in a process that has done nothing before."""
    computed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "NURSERY", another_nursery)
        for task, regularizer in (("digits", "dropout"), ("digits", "pernodedrop"), ("Plain", "dropout")):
            started = TrialProcess("cpu", 1)
            computed[task, regularizer] = curve(started, task, regularizer=regularizer)
            started.kill()
    return computed


def test_misbehaving_tasks_change_no_later_trial(
    trial_process: TrialProcess, innocents: dict[tuple[str, str], Curve]
) -> None:
    for mode in LEFT:
        with contextlib.suppress(TrialProcessDied):  # one that closes all files cannot tell of its end
            list(reports(trial_process, "Leaves", mode=mode))
    assert curve(trial_process, "Plain") == innocents["Plain", "dropout"]
    for regularizer in ("pernodedrop", "masksembles", "dropout"):  # those of built-in tasks share a process
        computed = curve(trial_process, "digits", regularizer=regularizer)
        assert computed == innocents.get(("digits", regularizer), computed)
    assert curve(trial_process, "Plain") == innocents["Plain", "dropout"]


def test_more_threads_train_after_a_fork() -> None:
    many = TrialProcess("cpu", 2)
    assert len(curve(many, "Plain", regularizer="pernodedrop")) == 2
    assert len(curve(many, "Plain", regularizer="none")) == 2
    many.kill()


@pytest.mark.parametrize("expected", RAISED)
def test_whatever_a_task_raises_is_a_reason_with_a_name(trial_process: TrialProcess, expected: str) -> None:
    assert reason(trial_process, "Raises", mode=expected) == expected


def test_a_module_that_exits_is_a_reason(trial_process: TrialProcess) -> None:
    spec = TaskSpec(name="tests.workers.exits_when_imported:Task")
    trial_process.order(Order(task=spec, config=TrialConfig(), study_seed=1, repeats=1, data_folder=Path()))
    said: list[Report | None] = []
    until(lambda: said.append(trial_process.listen(0.2)) or any(said))
    [failed] = filter(None, said)
    assert isinstance(failed, Failed)
    assert failed.reason == (
        "UnknownTask: task module 'tests.workers.exits_when_imported' cannot be imported (it exits: no licence): "
        "mend it; the worker imports it anew for the next trial"
    )


@pytest.mark.parametrize(
    ("mode", "death"),
    [("exits", "ended with exit code 0"), ("itself", "was killed"), ("its parent", "was killed")],
)
def test_a_process_that_ends_in_the_middle_is_an_attempt(
    trial_process: TrialProcess, innocents: dict[tuple[str, str], Curve], mode: str, death: str
) -> None:
    with pytest.raises(TrialProcessDied, match=death):
        list(reports(trial_process, "Ends", mode=mode))
    assert curve(trial_process, "Plain") == innocents["Plain", "dropout"]


@pytest.mark.parametrize("mode", ["program", "daemon", "goes on"])
def test_what_a_trial_starts_ends_with_it(
    trial_process: TrialProcess, innocents: dict[tuple[str, str], Curve], tmp_path: Path, mode: str
) -> None:
    note = tmp_path / "started"
    _, *epochs, last = reports(trial_process, "Starts", mode=mode, note=str(note), epochs=3)
    assert last == Finished()
    assert [done.epoch for done in epochs if isinstance(done, EpochDone)] == [1, 2, 3]  # of one process
    pids = [int(line) for line in note.read_text().split()]
    assert pids
    assert curve(trial_process, "Plain") == innocents["Plain", "dropout"]
    assert not any(Path("/proc", str(pid)).exists() for pid in pids)


def test_a_signal_to_the_parent_ends_nobody(trial_process: TrialProcess) -> None:
    assert len(curve(trial_process, "Starts", mode="parent")) == 2


def test_a_signal_to_the_worker_is_held_against_the_trial_that_sent_it(trial_process: TrialProcess) -> None:
    assert not accuse(1, 15)
    trial_process.order(order("Hangs", mode="for ever"))
    until(lambda: isinstance(trial_process.listen(0.2), Started))
    youngest = max(family.descendants(trial_process._keeper or 0))
    assert accuse(youngest, 15)
    with pytest.raises(TrialProcessDied, match="the trial process sent SIGTERM to its worker"):
        trial_process.listen(0.2)
    assert len(curve(trial_process, "Plain")) == 2


def test_a_trial_that_ignores_all_signals_is_ended() -> None:
    hanging = TrialProcess("cpu", 1)
    hanging.order(order("Hangs", mode="for ever"))
    until(lambda: isinstance(hanging.listen(0.2), Started))
    keeper = hanging._keeper or 0
    assert len(family.descendants(keeper)) == 3  # the host, the template and the trial
    hanging.kill()
    assert family.descendants(keeper) == set()
    until(lambda: not Path("/proc", str(keeper)).exists())


def test_a_task_may_use_processes_to_read_its_data(
    trial_process: TrialProcess, innocents: dict[tuple[str, str], Curve]
) -> None:
    epochs = curve(trial_process, "Loads", mode="rows")
    assert [epoch["train_rows"] for epoch in epochs] == [10, 10]
    plain = innocents["Plain", "dropout"]
    assert epochs[0]["val_loss"] == plain[0]["val_loss"]


def test_numbers_are_accepted_as_metrics(trial_process: TrialProcess) -> None:
    [first, _] = curve(trial_process, "Returns", mode="float")
    assert [first[f"val_{name}"] for name in "abcd"] == [0.5, 2.0, 0.25, 1.0]


@pytest.mark.parametrize(
    ("task", "mode", "sentence"),
    [
        ("Returns", "none", "metric 'a' of task {} must be a real number or a tensor of one, got None"),
        ("Returns", "list", "metric 'a' of task {} must be a real number or a tensor of one, got list"),
        ("Returns", "complex", "metric 'a' of task {} must be a real number or a tensor of one, got complex"),
        (
            "Returns",
            "complex tensor",
            "metric 'a' of task {} must be a real number or a tensor of one, got a tensor of complex64 and shape ()",
        ),
        (
            "Returns",
            "vector",
            "metric 'a' of task {} must be a real number or a tensor of one, got a tensor of float32 and shape (2,)",
        ),
        ("Returns", "no mapping", "metrics of task {} must return numbers by name, got list"),
        ("FloatLoss", None, "the loss of task {} must be a real scalar tensor, for its gradient, got float"),
        (
            "Returns",
            "changing",
            "epoch 2 of repeat 1 came with train_late, val_late, unlike the first epoch: metrics must return the same "
            "names each time",
        ),
    ],
)
def test_what_is_no_figure_is_said(trial_process: TrialProcess, task: str, mode: str | None, sentence: str) -> None:
    options = {} if mode is None else {"mode": mode}
    name = f"tests.workers.hostile:{task}"
    assert reason(trial_process, task, **options) == f"UnusableFigure: {sentence.format(name)}"


def test_a_trial_stops_when_it_is_asked(trial_process: TrialProcess) -> None:
    trial_process.order(order("Plain", epochs=5000))
    until(lambda: isinstance(trial_process.listen(0.2), EpochDone))
    trial_process.stop(keep=False)
    until(lambda: isinstance(trial_process.listen(0.2), Stopped))


def test_trials_know_no_secret(fresh: TrialProcess) -> None:
    assert family.environment_of_trials({**SECRETS, "PATH": "/bin"}).keys() == {
        *("PATH", "PYTORCH_NVML_BASED_CUDA_CHECK", "THP_MEM_ALLOC_ENABLE"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    }
    assert len(curve(fresh, "Plain")) == 2
    keeper = fresh._keeper or 0
    _, nursery, *_ = family.ancestors(keeper)
    seen = []
    for pid in (nursery, keeper, *family.descendants(keeper)):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # the trial's own process may have ended
            seen.append(Path(f"/proc/{pid}/environ").read_bytes())
    assert len([environment for environment in seen if environment]) >= 4  # host and template, too
    assert not any(secret.encode() in environment for environment in seen for secret in SECRETS.values())


def test_a_file_that_is_changed_while_its_task_loads_is_read_again(fresh: TrialProcess, folder: Path) -> None:
    (folder / "changing_task.py").write_text(CHANGING)
    digests = set()
    for version in (1, 2):
        spec = TaskSpec(name="changing_task:Changing", epochs=1, options={"mode": "version"})
        fresh.order(Order(task=spec, config=TrialConfig(), study_seed=1, repeats=1, data_folder=Path()))
        said: list[Report | None] = []
        until(lambda said=said: said.append(fresh.listen(0.2)) or Finished() in said)  # type: ignore[misc]
        [started], [done] = ([each for each in said if isinstance(each, kind)] for kind in (Started, EpochDone))
        assert done.metrics["val_version"] == version
        digests.add(started.provenance["code"]["task"])
    assert len(digests) == 2
