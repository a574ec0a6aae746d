"""What a command makes is written where the path leads, whatever lies there, and replaces nothing but a plain file."""

import os
import pty
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli.exit_codes import Failure
from service.cli.files import save, write
from tests.cli.another_process import in_another_process

TEXT = "ümlaut\n" * 20_000  # more than a pipe holds


def read_all(path: Path, into: list[bytes]) -> threading.Thread:
    reader = threading.Thread(target=lambda: into.append(path.read_bytes()))
    reader.start()
    return reader


def test_a_plain_file_is_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "page.html"
    assert not write(path, TEXT)
    assert path.read_text() == TEXT
    number, mode = path.stat().st_ino, 0o640
    path.chmod(mode)
    write(path, b"short")
    assert path.read_bytes() == b"short"
    assert path.stat().st_ino != number  # replaced, so that nobody reads half of it
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
    if os.geteuid() == 0:
        os.chown(path, 4711, 4712)
        write(path, "another")
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


def test_links_stay(tmp_path: Path) -> None:
    target, link, dangling, twin = (tmp_path / name for name in ("target", "link", "dangling", "twin"))
    target.write_text("before")
    link.symlink_to("target")
    dangling.symlink_to("born")
    twin.hardlink_to(target)
    for path, led_to in ((link, target), (dangling, tmp_path / "born")):
        write(path, "after")
        assert path.is_symlink()
        assert led_to.read_text() == "after"
    assert twin.samefile(target)
    write(twin, TEXT)
    write(twin, "now")
    assert twin.samefile(target)
    assert target.read_text() == "now"


def test_what_is_no_plain_file_is_written_to_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = read_all(fifo, received)
    write(fifo, TEXT)
    reader.join()
    assert received == [TEXT.encode()]
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    for device, refusal in (("null", None), ("full", "cannot write {}: No space left on device")):
        paths = [Path("/dev", device), tmp_path / device]
        if os.geteuid() == 0:
            copy = tmp_path / f"node-{device}"  # one that root could replace
            try:
                os.mknod(copy, 0o666 | stat.S_IFCHR, paths[0].stat().st_rdev)
                copy.read_bytes() if device == "null" else None
                paths.append(copy)
            except PermissionError:  # the folder's file system has no devices
                pass
        paths[1].symlink_to(paths[0])
        for path in paths:
            if refusal is None:
                write(path, TEXT)
            else:
                with pytest.raises(Failure, match=refusal.format(path)):
                    write(path, TEXT)
            assert stat.S_ISCHR(path.stat().st_mode)
        assert paths[1].is_symlink()
    terminal, mine = pty.openpty()
    write(Path(os.ttyname(mine)), "to the terminal\n")
    assert os.read(terminal, 100) == b"to the terminal\r\n"
    os.close(terminal)
    os.close(mine)


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("nowhere/page")
    refusals: dict[str, Callable[[Path], str]] = {
        "": lambda path: f"cannot write {path}: it is a folder, name a file",
        "file/page.html": lambda path: f"cannot write {path}: {path.parent} is no folder",
        "file/a/page.html": lambda path: f"cannot write {path}: {path.parent.parent} is no folder",
        "loop": lambda path: f"cannot write {path}: Too many levels of symbolic links",
        "lost": lambda path: f"cannot write {path}: No such file or directory",
        "x" * 300: lambda path: f"cannot write {path}: File name too long",
    }
    for name, expected in refusals.items():
        path = tmp_path / name
        with pytest.raises(Failure) as caught:
            write(path, TEXT)
        assert str(caught.value) == expected(path)
    assert {each.name for each in tmp_path.iterdir()} == {"file", "loop", "lost"}


def test_standard_output_holds_the_content_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save(Path("/dev/stdout"), TEXT)
    assert capfd.readouterr() == (TEXT, "")
    save(tmp_path / "page", TEXT)
    assert capfd.readouterr().out == f"{tmp_path / 'page'}\n"
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    with log.open("ab", buffering=0) as given:  # as the shell's 9>> is
        save(Path(f"/dev/fd/{given.fileno()}"), "now\n")
        given.write(b"after\n")
    assert log.read_bytes() == b"before\nnow\nafter\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")
def test_another_users_rights_are_heeded(home: Path) -> None:
    read_only, mine, closed = home / "read-only", home / "mine", home / "closed"
    for path in (read_only, mine):
        path.write_text("before")
    read_only.chmod(0o444)
    os.chown(mine, 4711, 4711)  # in a folder that its owner may not write to
    assert as_another_user(read_only) == f"cannot write {read_only}: it is read-only"
    assert as_another_user(closed) == f"cannot write {closed}: Permission denied"
    assert as_another_user(mine) == ""
    assert [path.read_text() for path in (read_only, mine)] == ["before", "after"]


def as_another_user(path: Path) -> str:
    """What a user without any right but its own is told who writes there."""

    def told() -> str:
        os.setgroups([])
        os.setgid(4711)
        os.setuid(4711)
        try:
            write(path, "after")
        except Failure as error:
            return str(error)
        return ""

    return in_another_process(told)
