"""The documentation's own loops and its notebook, executed as they are."""

from pathlib import Path

import pytest

from pernodedrop.client import Client
from tests.cli.conftest import Start, home, start  # noqa: F401 (fixtures)
from tests.cli.test_run import read_until
from tests.client.conftest import KEY
from tests.client.test_left_loops import run_script

DOCS = Path(__file__).parents[2] / "docs"
LOOPS = ("loop_pytorch.py", "loop_sklearn.py", "loop_hf_trainer.py")


@pytest.mark.wide
@pytest.mark.parametrize("name", LOOPS)
def test_an_own_loop_of_the_documentation_trains_its_study(client: Client, controller: str, name: str) -> None:
    example = DOCS / "examples" / name
    study = client.submit(example.with_suffix(".yaml"))
    ended = run_script(example, url=controller, key=KEY)
    assert ended.returncode == 0, ended.stderr
    details = study.details
    assert (details.state, details.counts.failed) == ("complete", 0)
    assert study.winner is not None


@pytest.mark.wide
def test_the_notebook_is_executed(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:  # noqa: F811
    import nbformat
    from nbclient import NotebookClient

    stack = start("serve", "--workers", "1")
    said = read_until(stack, "Ctrl-C stops it")
    [url] = [line.split()[1] for line in said.splitlines() if line.startswith("API  ")]
    monkeypatch.setenv("PERNODEDROP_URL", url.removesuffix("/v1"))
    monkeypatch.delenv("PERNODEDROP_API_KEY", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent))
    notebook = nbformat.read(DOCS / "notebooks/client.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("from-a-notebook" in output.get("data", {}).get("text/html", "") for output in shown)
