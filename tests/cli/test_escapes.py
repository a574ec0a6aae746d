"""No text of a study, a task or a server obeys a terminal: controls are escaped wherever text leaves."""

import io
import json
import logging
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pernodedrop.visible import LogFormatter, visible, visible_lines
from search_spaces import parse_definition
from service.api.models import CountsOut, RankingRow
from service.cli.results import ranking_table
from service.cli.session import EscapingConsole
from service.cli.snapshot import RunningTrial, Snapshot
from service.cli.views import bars
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data, work
from tests.cli.test_views import study, trial

Command = Callable[..., tuple[int, str, str]]

INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Clears a screen, twice; begins a line in four ways; turns the order of letters; hides; deletes.
STORED = "\x9b2J\x85\u2028\u2029\u202e\u2066\u200e\u061c\u200b\u200d\ufeff\U000e0041"
EVIL = f"\x1b[2J\x07\x08\r\x0b\x0c\x1c\x7f\n{STORED}\terror: forged"
OWN_STYLE = re.compile(r"\x1b\[[0-9;]*m")  # colours, which rich writes for a terminal


def obeyed(text: str) -> set[str]:
    """The characters of the text that a terminal would obey or hide."""
    return {char for char in text if unicodedata.category(char) in INVISIBLE and char != "\n"}


def test_every_control_and_format_character_is_escaped_and_nothing_else() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in INVISIBLE:
            assert visible(char) == char.encode("unicode_escape").decode()
        elif unicodedata.category(char) != "Mn":  # later versions of Unicode count some of them as formats
            assert visible(char) == char or unicodedata.category(char) == "Cn", hex(code)
    assert visible("a\x1b[1m\u202eb\r\n\udc80") == r"a\x1b[1m\u202eb\r\n\udc80"
    assert visible_lines("one\ntwo\r\nthree\rfour") == "one\ntwo\r\nthree\\rfour"
    assert visible_lines("Größe 0,5 µm – 日本 🙂") == "Größe 0,5 µm – 日本 🙂"


def forge(database_url: str) -> None:
    """A finished and a stopped study whose every text that is free carries EVIL, as a task or a client could do it."""
    evil_json = json.dumps(EVIL)
    with Database.open(database_url) as db:
        data = definition_data("evil", trials=4, description=EVIL.replace("\0", ""), priority=1)
        data["task"] = {"name": "tests.nowhere:Task", "epochs": 4, "options": {"note": STORED}}
        data["search_space"]["mood"] = {"type": "categorical", "choices": [STORED, f"{STORED}2"]}
        data["confirmation"] = {"top": 1, "repeats": 2}
        made = studies.create(db, parse_definition(data))
        work(db, made, {1: RunState.FAILED, 2: RunState.FAILED, 3: RunState.FAILED}, limit=4)
        studies.create(db, parse_definition({**data, "name": "failing"}))
        with db.engine.begin() as connection:
            for statement in (
                "UPDATE fleet.runs SET reason = :evil, facts = jsonb_build_object('device', CAST(:json AS jsonb))",
                "UPDATE fleet.run_history SET reason = :evil",
                "UPDATE fleet.workers SET host = :evil, device = :evil, seen_at = now()",
                "UPDATE fleet.runs SET worker_id = (SELECT id FROM fleet.workers LIMIT 1) WHERE trial_number = 0",
                "UPDATE fleet.curves SET metric = metric || :evil WHERE metric = 'accuracy'",
                "UPDATE fleet.runs SET state = 'failed', trial_number = ordinal"
                " WHERE study_id = (SELECT id FROM fleet.studies WHERE name = 'failing')",
            ):
                given = {"evil": EVIL, "json": evil_json}
                named = {name: value for name, value in given.items() if f":{name}" in statement}
                connection.execute(sa.text(statement), named)


def test_no_command_passes_a_control_on(
    command: Command, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(database_url)
    bad = tmp_path / "bad.yaml"
    bad.write_text(json.dumps({"name": EVIL, EVIL: 1, "task": {"name": STORED}, "fixed": {"mood": EVIL}}))
    named = tmp_path / f"{STORED}.yaml"
    commands = [
        ("studies",),
        ("studies", "evil"),
        ("studies", "failing"),
        ("studies", STORED),
        ("trial", "evil", "0"),
        ("trial", "evil", "1"),
        ("trial", "evil", "0", "--confirmation"),
        ("cancel", "evil", "1"),
        ("workers",),
        ("drain", STORED),
        ("pause", "evil"),
        ("resume", "evil"),
        ("prioritize", STORED, "1"),
        ("extend", "evil", "--trials", "1"),
        ("confirm", "evil", "--top", "1"),
        ("stop", "evil"),
        ("stop", "failing"),
        ("watch", "evil"),
        ("watch", "failing"),
        ("report", "evil", "--output", str(tmp_path / f"{STORED}.html")),
        ("report", "evil", "--format", STORED),
        ("submit", str(bad)),
        ("submit", str(named)),
        ("submit", "--preset", STORED),
        ("submit", "--preset", "quickstart", "--set", STORED),
        ("submit", "--preset", "quickstart", "--set", f"description.{STORED}=1"),
        ("submit", "--preset", "quickstart", "--set", f'name="{STORED}"'),
        ("submit", "--preset", "quickstart", "--scale", STORED),
        ("presets", STORED),
        (STORED,),
        ("delete", "evil", "--yes"),
    ]
    shown = ""
    for arguments in commands:
        _, said, told = command(*arguments)
        assert not obeyed(said + told), (arguments, said, told)
        assert not any(line.startswith("error: forged") for line in (said + told).split("\n")), arguments
        shown += said + told
    assert shown.count(r"\x9b2J\x85\u2028\u2029\u202e") > 15  # the texts were there
    page = (tmp_path / f"{STORED}.html").read_text()
    assert r"\x1b[2J" in page
    assert not obeyed(page[: page.index("<script>") or None].replace("\t", "")) & set(EVIL)


def test_a_terminal_gets_colours_and_no_control_of_a_text() -> None:
    written = io.StringIO()
    terminal = EscapingConsole(
        file=written, force_terminal=True, color_system="truecolor", width=100, markup=False, highlight=False
    )
    running = [RunningTrial(trial(12, EVIL), 0.25)]
    snapshot = Snapshot(study(CountsOut(running=1, complete=1), trial(7, EVIL, 0.2)), running)
    row = RankingRow(
        rank=1,
        variant=EVIL,
        trials=1,
        pruned=0,
        best_values=[0.2],
        mean_of_top=0.2,
        best_params={EVIL: EVIL},
        best_number=7,
        begun=5,
        epochs=40,
        few=False,
    )
    terminal.print(bars(snapshot))
    terminal.print(ranking_table(snapshot.study, [row]))
    assert r"\x1b[2J" in written.getvalue()
    assert OWN_STYLE.search(written.getvalue())
    assert not obeyed(OWN_STYLE.sub("", written.getvalue()))


def test_a_record_of_a_log_stays_one_record() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("evil")
    log.addHandler(handler)
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        log.exception("run 1 failed: %s", error)
    first, *rest = written.getvalue().removesuffix("\n").split("\n")
    assert first == r"ERROR run 1 failed: \x1b[2J\x07\x08\r\x0b\x0c\x1c\x7f"
    assert all(line.startswith("    ") for line in rest)
    assert not obeyed(written.getvalue())


PROGRAM = """
import logging, sys, threading, warnings
from pernodedrop.visible import escape_the_rest
escape_the_rest()
evil = chr(27) + "[2J" + chr(0x202e)
warnings.warn(evil)
logging.getLogger("nobody's").warning(evil)
thread = threading.Thread(target=lambda: int(evil))
thread.start()
thread.join()
raise ValueError(evil)
"""


def test_what_python_itself_says_is_escaped() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count(r"\x1b[2J\u202e") == 4
    assert not obeyed(done.stderr)


def test_deleting_asks_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, said, told = command("delete", STORED)
    assert code != 0
    assert not obeyed(said + told)
