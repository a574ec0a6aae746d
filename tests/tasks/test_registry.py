import re
import sys
from pathlib import Path

import pytest

from search_spaces import BUILT_IN_TASKS, InvalidDefinition, TaskSpec, parse_definition
from tests.search_spaces.studies import raw
from workers.tasks import InvalidOptions, UnknownTask, load_task

MODULE = """
from workers.tasks import Task
class Complete(Task):
    def load(self, device): ...
    def build(self, config): ...
class Incomplete(Task):
    def load(self, device): ...
class Other: ...
number = 3
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "user_tasks.py").write_text(MODULE)
    (tmp_path / "broken_tasks.py").write_text("import a_package_that_nobody_has\n")
    (tmp_path / "raising_tasks.py").write_text("raise RuntimeError('two\\nlines')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", sorted(BUILT_IN_TASKS))
def test_every_built_in_name_has_its_class(name: str) -> None:
    assert load_task(TaskSpec(name=name), Path()).spec.name == name


def test_studies_can_name_the_built_in_tasks_and_no_others() -> None:
    for name in BUILT_IN_TASKS:
        assert parse_definition(raw(task={"name": name})).task.name == name
    names = f"{', '.join(BUILT_IN_TASKS)}, external, or an own package.module:Class"
    with pytest.raises(InvalidDefinition, match=re.escape(f'task.name must be one of {names}, got "mnist"')):
        parse_definition(raw(task={"name": "mnist"}))


def test_every_built_in_task_is_on_its_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
    rows = [set(re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)) for part in page.split("\n## ")[:2]]
    assert rows == [set(BUILT_IN_TASKS), set(BUILT_IN_TASKS)]


def test_an_own_class(modules: Path) -> None:
    task = load_task(TaskSpec(name="user_tasks:Complete", options={"depth": 3}), modules)
    assert type(task) is sys.modules["user_tasks"].Complete
    assert task.spec.options == {"depth": 3}
    assert task.data_folder == modules


def test_equal_specs_share_a_task_and_so_its_data() -> None:
    first = load_task(TaskSpec(name="digits", train_size=100), Path())
    assert load_task(TaskSpec(name="digits", train_size=100), Path()) is first
    assert load_task(TaskSpec(name="digits", train_size=101), Path()) is not first


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", r"task\.name must be one of digits, cifar10.* or package\.module:Class, got 'mnist'"),
        ("no_such_module:Task", r"'no_such_module' cannot be imported \(No module named 'no_such_module'\): install"),
        ("broken_tasks:Task", r"'broken_tasks' cannot be imported \(No module named 'a_package_that_nobody_has'\)"),
        ("raising_tasks:Task", r"'raising_tasks' cannot be imported \(two lines\)"),
        ("user_tasks:Compleat", r"'user_tasks' has no class 'Compleat': did you mean Complete?"),
        ("user_tasks:Other", r"'user_tasks:Other' is no Task: derive the class from workers\.tasks\.Task"),
        ("user_tasks:number", r"'user_tasks:number' is no Task"),
        ("user_tasks:Incomplete", r"'user_tasks:Incomplete' is incomplete: define build"),
    ],
)
def test_what_cannot_be_a_task_is_said_in_one_line(modules: Path, name: str, message: str) -> None:
    with pytest.raises(UnknownTask, match=message) as refusal:
        load_task(TaskSpec(name=name), modules)
    assert "\n" not in str(refusal.value)


def test_a_built_in_task_refuses_options_it_does_not_have() -> None:
    with pytest.raises(InvalidOptions, match=r"task\.options\.colour is unknown to digits"):
        load_task(TaskSpec(name="digits", options={"colour": True}), Path())


def test_a_module_that_is_not_allowed_is_not_even_imported(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERNODEDROP_TASK_MODULES", "user_tasks")
    assert load_task(TaskSpec(name="user_tasks:Complete"), Path()).spec.name == "user_tasks:Complete"
    assert load_task(TaskSpec(name="digits"), Path()).spec.name == "digits"
    message = (
        "task module 'raising_tasks' is not allowed here (allowed: user_tasks): "
        "add it to PERNODEDROP_TASK_MODULES or use another task"
    )
    with pytest.raises(UnknownTask, match=f"^{re.escape(message)}$"):
        load_task(TaskSpec(name="raising_tasks:Complete"), Path())
    assert "raising_tasks" not in sys.modules
