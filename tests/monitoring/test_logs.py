"""Logs as JSON: every line of a real process is one record, with what it is about, and without secrets."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pernodedrop.visible import log_format
from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served
from tests.workers.conftest import ROOT, db, own_study

__all__ = ["db"]

KEY = "a key that no log may show"


def test_a_worker_writes_a_record_a_line_with_study_and_run(db: Database, database_url: str, tmp_path: Path) -> None:
    studies.create(db, own_study("told", "Line", trials=1))
    environment = {
        **os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path),
        "PERNODEDROP_LOG_FORMAT": "json", "PERNODEDROP_API_KEY": KEY,
    }  # fmt: skip
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=True)
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    about = [record for record in records if record.get("study") == "told"]
    assert about
    assert all(isinstance(record["run"], int) for record in about)
    password = str(re.search(r":([^:@/]+)@", database_url).group(1))  # type: ignore[union-attr]
    assert KEY not in done.stderr
    assert password not in done.stderr


def test_another_format_is_refused_in_a_line() -> None:
    with pytest.raises(ValueError, match="PERNODEDROP_LOG_FORMAT must be text or json, got 'xml'"):
        log_format({"PERNODEDROP_LOG_FORMAT": "xml"})


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>"])
def test_a_request_has_an_id_and_keeps_a_sane_one(given: str) -> None:
    with served(create_app(settings_for(NO_DATABASE))) as address:
        drawn = httpx.get(f"{address}/v1/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{16}", drawn)
        kept = httpx.get(f"{address}/v1/health", headers={"X-Request-ID": "trace-1.a_B"}).headers["X-Request-ID"]
        assert kept == "trace-1.a_B"
