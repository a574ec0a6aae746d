import multiprocessing
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from search_spaces import TaskSpec
from tests.tasks.publishing import Publisher, contents, packed, published, zipped
from workers.tasks import DataUnavailable, load_task
from workers.tasks.archives import Archive, UnfitArchive, unpack
from workers.tasks.cifar10 import ARCHIVE
from workers.tasks.downloads import provide

MEMBERS = {"a": os.urandom(300_000), "b": b"second"}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with published(packed(**MEMBERS, c=b"not asked for")) as server:
        yield server


def test_fetches_verifies_and_unpacks_what_is_asked_for(publisher: Publisher, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "images"
    provide(publisher.archive(), folder)
    assert contents(folder) == MEMBERS
    assert [path.name for path in folder.parent.iterdir() if path.name[0] != "."] == ["images"]


def test_what_is_there_is_not_fetched_again(publisher: Publisher, tmp_path: Path) -> None:
    for _ in range(2):
        provide(publisher.archive(), tmp_path / "images")
    assert publisher.asked == [0]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_continued_or_begun_again(publisher: Publisher, tmp_path: Path, ranges: bool) -> None:
    publisher.breaks_after, publisher.ranges = 100_000, ranges
    with pytest.raises(DataUnavailable, match="could not be fetched"):
        provide(publisher.archive(), tmp_path / "images")
    provide(publisher.archive(), tmp_path / "images")
    assert contents(tmp_path / "images") == MEMBERS
    assert (publisher.asked[1] > 0) is ranges


def test_another_file_than_the_published_one_is_refused_and_removed(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"had SHA-256 [0-9a-f]{64}, published is 0{64}; it was removed"):
        provide(publisher.archive(sha256="0" * 64), tmp_path / "images")
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".gz", ".part")]
    assert not (tmp_path / "images").exists()


def test_a_server_that_sends_too_much_is_cut_off(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="sends more than the published 1000 bytes"):
        provide(publisher.archive(size=1000), tmp_path / "images")


def test_an_archive_put_beside_the_folder_needs_no_network(tmp_path: Path, unused_port: int) -> None:
    content = packed(**MEMBERS)
    (tmp_path / "images.tar.gz").write_bytes(content)
    provide(Publisher(content, unused_port).archive(), tmp_path / "images")
    assert contents(tmp_path / "images") == MEMBERS


def test_without_network_one_line_names_the_address_and_the_folder(tmp_path: Path, unused_port: int) -> None:
    archive = Publisher(b"", unused_port).archive()
    with pytest.raises(DataUnavailable) as refusal:
        provide(archive, tmp_path / "images")
    message = str(refusal.value)
    assert "\n" not in message
    assert archive.address in message
    assert f"put the folder there, or images.tar.gz into {tmp_path}" in message
    assert message.startswith(f"{tmp_path / 'images'} is missing")


def test_a_data_folder_that_cannot_be_made_is_said_in_one_line(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataUnavailable, match=r"Not a directory|File exists"):
        provide(publisher.archive(), tmp_path / "file" / "images")


def outside() -> tarfile.TarInfo:
    link = tarfile.TarInfo("images/a")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return link


@pytest.mark.parametrize("members", [{"a": outside(), "b": b""}, {"a": b"12345", "b": b""}])
def test_links_and_files_that_are_too_large_are_not_unpacked(tmp_path: Path, members: dict[str, bytes]) -> None:
    with published(packed(**members)) as server, pytest.raises(DataUnavailable, match="images/a is no file of at most"):
        provide(server.archive(largest_member=4), tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_an_archive_without_its_members_is_refused(tmp_path: Path) -> None:
    with published(packed(a=b"")) as server, pytest.raises(DataUnavailable, match="images/b"):
        provide(server.archive(), tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_takes_the_files_of_a_pattern_out_of_a_zip_and_nothing_else(tmp_path: Path) -> None:
    files = {"up__1.wav": b"one", "up__2.wav": b"two" * 1000, "go__1.wav": b"three"}
    content = zipped(**files, up__notes=b"", README=b"", other__1_wav=b"", up__deep__1=b"")
    with published(content) as server:
        provide(server.archive(members=("up/*.wav", "go/*.wav")), tmp_path / "images")
    found = {str(path.relative_to(tmp_path / "images")): path for path in (tmp_path / "images").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name.replace("__", "/"): text for name, text in files.items()
    }


@pytest.mark.parametrize("name", ["images/../up/1.wav", "/images/up/1.wav", "images/up/../../1.wav", "other/up/1.wav"])
def test_a_zips_paths_that_lead_elsewhere_are_not_followed(tmp_path: Path, name: str) -> None:
    file = tmp_path / "images.tar.gz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(UnfitArchive, match=r"images/up/\*\.wav is no file of at most"):
        unpack(Publisher(b"").archive(members=("up/*.wav",)), file, tmp_path / "images")
    assert not list(tmp_path.rglob("1.wav"))


def test_a_zips_links_and_large_files_are_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "images.tar.gz"
    for kind, content in ((0o120777, b"/etc/passwd"), (0o100644, b"12345")):
        info = zipfile.ZipInfo("images/a")
        info.external_attr = kind << 16
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(info, content)
        limit = 4 if kind == 0o100644 else 100
        with pytest.raises(UnfitArchive, match=f"images/a is no file of at most {limit} bytes"):
            unpack(Publisher(b"").archive(members=("a",), largest_member=limit), file, tmp_path / "images")


def test_speech_commands_says_where_its_folder_goes(tmp_path, monkeypatch, unused_port: int) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_port}")  # nobody listens: no network
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DataUnavailable, match=r"mini_speech_commands is missing and https://\S+\.zip could not be"):
        load_task(TaskSpec(name="speech_commands"), tmp_path).load(torch.device("cpu"))


def _provide(archive: Archive, folder: Path) -> None:
    provide(archive, folder)


def test_two_processes_download_once(publisher: Publisher, tmp_path: Path) -> None:
    publisher.delay_s = 0.5
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_provide, args=(publisher.archive(), tmp_path / "images")) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert publisher.asked == [0]
    assert contents(tmp_path / "images") == MEMBERS


def test_cifar10_says_where_its_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_port}")  # nobody listens: no network
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DataUnavailable) as refusal:
        load_task(TaskSpec(name="cifar10"), tmp_path).read()  # type: ignore[attr-defined]
    assert str(refusal.value).startswith(f"{tmp_path / 'cifar-10-batches-py'} is missing and {ARCHIVE.address} could")
