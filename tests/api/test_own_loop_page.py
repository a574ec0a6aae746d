"""The page on own loops: its program is a whole one, and its transcript has the fields that the answers have."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.asking import said

PAGE = (Path(__file__).parents[2] / "docs" / "own-loop.md").read_text(encoding="utf-8")
NEEDED = ("bash", "curl", "jq")


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.skipif(any(shutil.which(name) is None for name in NEEDED), reason=f"needs {', '.join(NEEDED)}")
@pytest.mark.wide
def test_the_shells_loop_searches_and_confirms(api: httpx.Client, database: Database) -> None:
    said(api.post("/v1/studies", json=YAML(typ="safe").load(block("yaml"))))
    environment = {**os.environ, "URL": str(api.base_url).rstrip("/")}
    subprocess.run(["bash", "-e", "-c", block("sh")], env=environment, check=True, timeout=120)
    study = studies.get(database, "mine")
    assert (study.state, study.winner is not None) == ("complete", True)
    assert list(audit(database)) == []


def test_the_transcript_is_what_is_said(api: httpx.Client) -> None:
    said(api.post("/v1/studies", json=YAML(typ="safe").load(block("yaml"))))
    claims: dict[str, str] = {}
    requests = re.findall(r"\$ curl -s \$URL(\S+) --json '(.*)'\n(.*)\n", block("console"))
    assert len(requests) == 7
    for path, body, expected in requests:
        lease = json.loads(body)
        lease |= {"claim": claims[lease["claim"]]} if "claim" in lease else {}
        answer = api.post(path, json=lease).json()
        printed = json.loads(expected)
        if "claim" in printed:
            claims[printed["claim"]] = answer["claim"]
        own = ("worker", "claim", "params")
        assert {k: v for k, v in answer.items() if k not in own} == {k: v for k, v in printed.items() if k not in own}
        assert answer.get("params", {}).keys() == printed.get("params", {}).keys()
