"""Weights are fetched whole or not at all, by the command and by both clients, and nothing of the user's is lost."""

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pernodedrop.client import AsyncClient, Client, NotWhole, Refused, Unreachable
from pernodedrop.client.operations import weights_of
from pernodedrop.client.weights import unpack
from service.api.app import create_app
from service.cli import main
from service.storage.artifacts import ArtifactRoot
from service.storage.database.database import Database
from service.storage.fleet.ownership import database_id
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.weights.test_keeping import confirmed

FILES = ["seed-1.safetensors", "seed-2.safetensors", "seed-3.safetensors", "winner.json"]


@pytest.fixture
def root(tmp_path: Path, db: Database) -> ArtifactRoot:
    return ArtifactRoot(str(tmp_path / "artifacts"), database_id(db))


@pytest.fixture
def address(db: Database, database_url: str, root: ArtifactRoot, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    confirmed(db, root)
    with served(create_app(settings_for(database_url, artifacts=root.url))) as address:
        monkeypatch.setenv("PERNODEDROP_URL", address)
        yield address


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_both_clients_fetch_them(address: str, tmp_path: Path) -> None:
    async def awaited() -> Path:
        async with AsyncClient(address) as client:
            return await (await client.study("s")).weights(tmp_path / "one", seed=2)

    with Client(address) as client:
        study = client.study("s")
        assert names(study.weights(tmp_path / "all")) == FILES
        assert names(asyncio.run(awaited())) == ["seed-2.safetensors", "winner.json"]
        assert names(study.weights(str(tmp_path / "all"), confirmation=0, seed=3)) == ["seed-3.safetensors", FILES[-1]]
        with pytest.raises(Refused, match="has no trial 9"):
            study.weights(tmp_path / "none", trial=9)
    assert names(tmp_path) == ["all", "artifacts", "one"]


def test_what_the_user_has_at_the_place_stays(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    assert main(["weights", "s", "-o", str(model)]) == 0
    (model / "predict.py").write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    monkeypatch.chdir(tmp_path / "empty")
    for output, said in (
        (model, f"{model} has other files beside the weights: predict.py"),
        (model / "winner.json", f"{model}/winner.json is no folder"),
        (Path(), f"{tmp_path}/empty is the folder that this runs in: name a new one"),
        (tmp_path / "artifacts", f"{tmp_path}/artifacts is there and has no winner.json"),
    ):
        assert main(["weights", "s", "-o", str(output)]) == 2
        assert capsys.readouterr().err == f"error: {said}: choose another folder with --output\n"
    assert (model / "predict.py").read_text() == "mine"
    assert main(["weights", "s", "-o", str(tmp_path / "link")]) == 0
    assert names(tmp_path / "elsewhere") == FILES
    assert (tmp_path / "link").is_symlink()


def test_weights_that_are_removed_while_they_are_sent(address: str, root: ArtifactRoot, tmp_path: Path) -> None:
    with Client(address) as client:
        answer = client._connection.stream(weights_of("s", {}))
        with pytest.raises(Unreachable, match=r"^the answer of http.* broke off .*: try again$"), answer as pieces:
            next(pieces)
            for file in Path(root.url).glob("*/*"):
                file.unlink()
            b"".join(pieces)
        with pytest.raises(Refused, match="must be one place"):
            client.study("s").weights(tmp_path / "none")
    assert names(tmp_path) == ["artifacts"]


@pytest.mark.parametrize("left_out", ["winner.json", "seed-1.safetensors", "half"])
def test_a_zip_that_is_not_whole_is_refused(left_out: str, tmp_path: Path) -> None:
    manifest = '{"files": [{"file": "seed-1.safetensors", "sha256": "0"}]}'
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in {"winner.json": manifest, "seed-1.safetensors": "weights"}.items():
            if name != left_out:
                archive.writestr(name, data)
    data = made.getvalue()[: len(made.getvalue()) // 2] if left_out == "half" else made.getvalue()
    with pytest.raises(NotWhole, match=r"^the controller's answer is no whole zip of weights \(.*: try again$"):
        unpack(io.BytesIO(data), tmp_path)


def test_an_interrupted_download_leaves_nothing(tmp_path: Path) -> None:
    """A server sends the head of an answer and then nothing."""
    heard = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Disposition: attachment\r\nContent-Length: 100000\r\n\r\nPK"
                )
                heard.set()
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        command = [sys.executable, "-m", "service.cli", "weights", "s", "-o", str(tmp_path / "model")]
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(command, env={**os.environ, "PERNODEDROP_URL": url}, stderr=subprocess.PIPE)
        assert heard.wait(60)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        thread.join()
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []
